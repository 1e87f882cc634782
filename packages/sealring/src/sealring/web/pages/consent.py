"""`/consent`: a person is asked what a client may do, and remembered where that is safe (SECURITY E2)."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

import msgspec

from sealring.protocol.authorization import metadata_digest
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.interaction import Interaction
from sealring.protocol.redirect_uri import redirect_source
from sealring.protocol.sso_session import SsoSession
from sealring.services.authorization import (
    Asked,
    Returned,
    Standing,
    Waiting,
    allow,
    answer_authorization,
    deny,
    find_authorization_request,
)
from sealring.services.house import House
from sealring.web.exchange import Answer, Request
from sealring.web.form import read_form
from sealring.web.pages.authorization import redirect, show
from sealring.web.pages.browser import Browser, find_session, read_browser, refuse_foreign_form
from sealring.web.pages.client_card import client_card
from sealring.web.pages.interaction import carry, find_interaction, has_chosen, take_interaction
from sealring.web.pages.oauth_error import error_page
from sealring.web.pages.render import PAGES, page_values, render_page

_DECISIONS: Final = frozenset({"allow", "deny"})


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    interaction: Interaction
    asked: Asked
    session: SsoSession

    @property
    def digest(self) -> str:
        """What is asked of whom: another person in this browser, or a client with another face, is another question."""
        asked = self.session.id.encode() + metadata_digest(self.asked.client)
        return urlsafe_b64encode(sha256(asked).digest()).decode()


async def get_consent(request: Request, house: House) -> Answer:
    """Ask, or go back to /authorize where there is nothing to ask any more."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    interaction = find_interaction(request.query, browser, house) or refuse("interaction_expired")
    if isinstance(interaction, OAuthError):
        return error_page(interaction, house)
    question = await _find_question(interaction, browser, house)
    return question if isinstance(question, Answer) else await _page(question, house)


async def post_consent(request: Request, house: House) -> Answer:
    """Take the answer: a code for the client, or its word that the person said no."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    form = refuse_foreign_form(request, house) or read_form(request)
    if isinstance(form, OAuthError):
        return error_page(form, house)
    interaction = take_interaction(form.get("interaction"), browser, house)
    if isinstance(interaction, OAuthError):
        return error_page(interaction, house)
    question = await _find_question(interaction, browser, house)
    if isinstance(question, Answer):
        return question
    decision = form.get("decision")
    if decision not in _DECISIONS or interaction.question != question.digest:
        return await _page(question, house)
    if decision == "deny":
        denied = await deny(
            question.asked,
            question.session,
            request.caller,
            store=house.store,
            issuer=house.issuer,
            now=house.clock(),
        )
        return show(denied, house)
    return await _allow(question, request, house)


async def _allow(question: _Question, request: Request, house: House) -> Answer:
    now = house.clock()
    answer = await answer_authorization(
        question.asked,
        Standing(
            session=question.session,
            began_at=question.interaction.began_at,
            allowed=True,
            chosen=has_chosen(question.interaction, question.session),
        ),
        store=house.store,
        signer=house.signer,
        pairwise_key=house.pairwise_key,
        now=now,
        randomness=house.randomness,
    )
    if isinstance(answer, Waiting):
        return _back(question.interaction, house)
    if isinstance(answer, Returned) and "code" in answer.parameters:
        await allow(question.asked, question.session, request.caller, store=house.store, now=now)
    return show(answer, house)


async def _find_question(interaction: Interaction, browser: Browser, house: House) -> _Question | Answer:
    if house.halted:
        return error_page(refuse("store_rolled_back", retry_after=60), house)
    asked = await find_authorization_request(interaction.query.encode(), store=house.store, issuer=house.issuer)
    if not isinstance(asked, Asked):
        return show(asked, house)
    session = await find_session(browser, house)
    if session is None:
        return _back(interaction, house)
    return _Question(interaction=interaction, asked=asked, session=session)


def _back(interaction: Interaction, house: House) -> Answer:
    return redirect(f"{house.issuer}/authorize?interaction={carry(interaction, house)}")


async def _page(question: _Question, house: House) -> Answer:
    redirect_uri = question.asked.request.address.redirect_uri
    user = await house.store.users.find(question.session.sub)
    interaction = msgspec.structs.replace(question.interaction, question=question.digest)
    values: dict[str, object] = {
        "interaction": carry(interaction, house),
        "client": client_card(question.asked.client, redirect_uri=redirect_uri),
        "scopes": await _describe(question.asked, house),
        "person": "" if user is None else user.username or user.email or user.sub,
    }
    return render_page(PAGES, "consent.html", page_values(house, values), form_action=(redirect_source(redirect_uri),))


async def _describe(asked: Asked, house: House) -> list[str]:
    """Say in the words of their APIs what the scopes allow."""
    words: dict[str, str] = {}
    for api in await house.store.apis.list_all():
        words |= {scope: text or scope for scope, text in api.scopes.items()}
    # Who the person is comes first: it is what every other thing is told about.
    in_order = sorted(asked.request.scope, key=lambda scope: (scope != "openid", scope))
    return [words.get(scope, scope) for scope in in_order]
