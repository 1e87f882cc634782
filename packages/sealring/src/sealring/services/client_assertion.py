"""Judging a client's assertion: its keys are found, the law is asked, and what was good is used up (RFC 7523 §3)."""

from typing import assert_never

from sealring.ports import Store
from sealring.protocol.client import AssertionTerms, Client
from sealring.protocol.client_assertion import (
    AcceptedAssertion,
    ClientAssertion,
    NoKeyFits,
    decide_client_assertion,
)
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.services.client_keys import ClientKeys


async def redeem_client_assertion(
    assertion: ClientAssertion, client: Client, *, store: Store, keys: ClientKeys, issuer: str, now: Instant
) -> OAuthError | None:
    """Use an assertion up; None where it proves the client, and never a second time.

    Refusals: client_authentication_failed, client_assertion_refused, client_assertion_replayed,
    client_keys_unavailable; all of them `invalid_client`.
    """
    if client.assertion is None:
        return refuse("client_authentication_failed")
    outcome = await _decide(assertion, client, client.assertion, keys=keys, issuer=issuer, now=now)
    match outcome:
        case OAuthError():
            return outcome
        case NoKeyFits():
            return refuse("client_authentication_failed")
        case AcceptedAssertion():
            return None if await store.client_assertions.spend(outcome) else refuse("client_assertion_replayed")
        case _:
            assert_never(outcome)


async def _decide(
    assertion: ClientAssertion, client: Client, terms: AssertionTerms, *, keys: ClientKeys, issuer: str, now: Instant
) -> AcceptedAssertion | NoKeyFits | OAuthError:
    outcome: AcceptedAssertion | NoKeyFits | OAuthError = NoKeyFits()
    seen = None
    for unknown_key in (False, True):
        document = await keys.find(client, unknown_key=unknown_key)
        if document is None:
            return refuse("client_keys_unavailable")
        if document == seen:
            break
        seen = document
        try:
            outcome = decide_client_assertion(assertion, document=document, terms=terms, issuer=issuer, now=now)
        except ValueError:  # what stands there is a JSON object, and no JWK set that can be used
            return refuse("client_keys_unavailable")
        if not isinstance(outcome, NoKeyFits):
            break
    return outcome
