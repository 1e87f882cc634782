from types import SimpleNamespace
from urllib.parse import urlencode

import msgspec
import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.sso_session import SsoSession
from sealring.services.authorization import (
    Asked,
    Returned,
    Shown,
    Standing,
    Waiting,
    allow,
    answer_authorization,
    deny,
    find_authorization_request,
)

CALLBACK = "https://app.example/callback"
REQUEST = {
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid",
    "state": "s",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}
CALLER = Caller(network="192.0.2.0/24", user_agent="Firefox")


async def find(site: SimpleNamespace, **changes: str) -> Asked | Shown | Returned:
    encoded = urlencode(REQUEST | changes).encode()
    return await find_authorization_request(encoded, store=site.store, issuer=site.opened.house.issuer)


async def asked(site: SimpleNamespace, **changes: str) -> Asked:
    found = await find(site, **changes)
    assert isinstance(found, Asked)
    return found


async def session_of(site: SimpleNamespace) -> SsoSession:
    """Read the session in which `add_app` signed ada in."""
    session = await site.store.sso_sessions.find(bytes(32), now=site.now)
    assert isinstance(session, SsoSession)
    return session


async def answer(site: SimpleNamespace, found: Asked, standing: Standing) -> Shown | Returned | Waiting:
    house = site.opened.house
    return await answer_authorization(
        found,
        standing,
        store=house.store,
        signer=house.signer,
        pairwise_key=house.pairwise_key,
        now=site.now,
        randomness=house.randomness,
    )


async def test_a_fault_is_shown_until_the_address_is_proven_and_returned_after_that(site: SimpleNamespace) -> None:
    await site.add_app()
    assert isinstance(await find(site), Asked)
    assert isinstance(await find(site, redirect_uri="https://evil.example/"), Shown)
    returned = await find(site, response_type="token")
    assert isinstance(returned, Returned)
    assert returned.address.redirect_uri == CALLBACK
    assert returned.parameters["error"] == "unsupported_response_type"


async def test_a_disabled_client_signs_nobody_in(site: SimpleNamespace) -> None:
    await site.add_app()
    await site.store.clients.set_disabled("app", disabled=True, now=site.now, events=[])
    found = await find(site)
    assert isinstance(found, Shown)
    assert found.refusal.code == "client_not_registered"


async def test_a_person_signs_in_then_allows_then_the_client_gets_its_code(site: SimpleNamespace) -> None:
    await site.add_app()
    found = await asked(site)
    assert await answer(site, found, Standing(session=None)) == Waiting(step="login", asked=found)
    session = await session_of(site)
    assert await answer(site, found, Standing(session=session)) == Waiting(step="consent", asked=found)
    granted = await answer(site, found, Standing(session=session, allowed=True))
    assert isinstance(granted, Returned)
    assert (await site.redeem_code(granted.parameters["code"])).status_code == 200


async def test_what_was_allowed_is_remembered_with_its_event(site: SimpleNamespace) -> None:
    await site.add_app()
    found, session = await asked(site), await session_of(site)
    await allow(found, session, CALLER, store=site.store, now=site.now)
    assert isinstance(await answer(site, found, Standing(session=session)), Returned)
    assert isinstance(await answer(site, await asked(site, scope="openid email"), Standing(session=session)), Waiting)
    event = [event for event in await site.events() if event.event == "consent_given"][-1]
    assert (event.actor, event.client_id, event.details) == ("user:u1", "app", {"scope": "openid"})


async def test_a_session_that_ends_in_between_gets_no_code(site: SimpleNamespace) -> None:
    await site.add_app()
    found, session = await asked(site), await session_of(site)
    await site.store.sso_sessions.end(session.id, reason="test", now=site.now, events=[])
    waiting = await answer(site, found, Standing(session=session, allowed=True))
    assert waiting == Waiting(step="login", asked=found)


async def test_a_client_whose_epoch_rose_in_between_gets_no_code(site: SimpleNamespace) -> None:
    await site.add_app()
    found, session = await asked(site), await session_of(site)
    await site.store.clients.raise_epoch("app", now=site.now, events=[])
    assert isinstance(await answer(site, found, Standing(session=session, allowed=True)), Waiting)


async def test_a_code_carries_the_scopes_of_the_resources_that_were_named(site: SimpleNamespace) -> None:
    await site.add_app()
    app = await site.store.clients.find("app")
    assert app is not None
    wider = msgspec.structs.replace(app, allowed={**app.allowed, "bills": frozenset({"bills:read"})})
    assert await site.store.clients.replace(wider, read=app, events=[])
    found = await asked(site, scope="openid orders:read bills:read", resource="orders")
    granted = await answer(site, found, Standing(session=await session_of(site), allowed=True))
    assert isinstance(granted, Returned)
    assert (await site.redeem_code(granted.parameters["code"])).json()["scope"] == "openid orders:read"


async def test_whoever_says_no_is_reported_with_state_and_issuer(site: SimpleNamespace) -> None:
    await site.add_app()
    caller = Caller(network="192.0.2.0/24", user_agent="Firefox")
    session, issuer = await session_of(site), site.opened.house.issuer
    told = (await deny(await asked(site), session, caller, store=site.store, issuer=issuer, now=site.now)).parameters
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "s", issuer)
    event = (await site.events())[-1]
    assert (event.event, event.sub, event.client_id) == ("consent_denied", session.sub, "app")


@pytest.mark.parametrize(("self_registered", "kind"), [(False, Returned), (True, Shown)])
async def test_a_hint_that_is_none_goes_back_only_to_a_client_of_the_operators(
    site: SimpleNamespace, *, self_registered: bool, kind: type
) -> None:
    await site.add_app()
    found = await asked(site, id_token_hint="a.b.c")
    changed = msgspec.structs.replace(
        found, client=msgspec.structs.replace(found.client, self_registered=self_registered)
    )
    assert isinstance(await answer(site, changed, Standing(session=None)), kind)
    # A silent request has no other end: nobody would see a page of ours (RFC 9700 §4.11.2).
    silent = await asked(site, id_token_hint="a.b.c", prompt="none")
    changed = msgspec.structs.replace(silent, client=changed.client)
    assert isinstance(await answer(site, changed, Standing(session=None)), Returned)
