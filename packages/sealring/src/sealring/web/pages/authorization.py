"""`/authorize` (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2): a browser arrives with a client's request.

A request that waits for its person goes on to /login and /consent, and comes back here as an interaction.
"""

from urllib.parse import urlencode

import msgspec

from sealring.protocol.authorization_request import LONGEST_REQUEST, Parameters, parse_parameters
from sealring.protocol.authorization_response import response_location
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.redirect_uri import redirect_source
from sealring.services.authorization import (
    Asked,
    Returned,
    Shown,
    Standing,
    Waiting,
    answer_authorization,
    find_authorization_request,
)
from sealring.services.house import House
from sealring.services.request_object import resolve_request_uri
from sealring.web.exchange import Answer, Headers, Request
from sealring.web.form import is_form
from sealring.web.pages.browser import find_session, read_browser
from sealring.web.pages.interaction import begin_interaction, carry, find_interaction, has_chosen
from sealring.web.pages.oauth_error import error_page
from sealring.web.pages.render import PAGES, page_values, render_page


async def get_authorize(request: Request, house: House) -> Answer:
    """Answer a request, or send the browser to whatever it needs first."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    if house.halted:
        return error_page(refuse("store_rolled_back", retry_after=60), house)
    interaction = find_interaction(request.query, browser, house)
    if isinstance(interaction, OAuthError):
        return error_page(interaction, house)
    encoded = await _arrive(request.query, house) if interaction is None else interaction.query.encode()
    if not isinstance(encoded, bytes):
        return show(encoded, house)
    asked = await find_authorization_request(encoded, store=house.store, issuer=house.issuer)
    if not isinstance(asked, Asked):
        return show(asked, house)
    now = house.clock()
    session = await find_session(browser, house)
    standing = Standing(session=session)
    if interaction is not None:
        chosen = has_chosen(interaction, session)
        standing = Standing(session=session, began_at=interaction.began_at, chosen=chosen)
    answer = await answer_authorization(
        asked,
        standing,
        store=house.store,
        signer=house.signer,
        pairwise_key=house.pairwise_key,
        now=now,
        randomness=house.randomness,
    )
    if not isinstance(answer, Waiting):
        return show(answer, house)
    if interaction is not None:  # it goes on as what it began as, or no log-in would ever be new enough
        onward = carry(msgspec.structs.replace(interaction, question=None), house)
        return redirect(f"{house.issuer}/{answer.step}?interaction={onward}")
    text, kept = begin_interaction(encoded.decode("latin-1"), browser, house)
    return redirect(f"{house.issuer}/{answer.step}?interaction={text}", headers=kept)


async def post_authorize(request: Request, house: House) -> Answer:
    """Take a request by form (OpenID Connect Core §3.1.2.1), and ask for it again by GET.

    A form of another site comes without our cookies; the address that it is sent on to gets them.
    """
    if not is_form(request):
        return error_page(refuse("wrong_content_type"), house)
    parameters = parse_parameters(request.body)
    if isinstance(parameters, OAuthError):
        return error_page(parameters, house)
    return ask_by_get("authorize", parameters, house)


async def _arrive(query: bytes, house: House) -> bytes | Shown | Returned:
    return await resolve_request_uri(
        query,
        store=house.store,
        outgoing=house.outgoing,
        keys=house.client_keys,
        issuer=house.issuer,
        now=house.clock(),
    )


def ask_by_get(page: str, parameters: Parameters, house: House) -> Answer:
    """Send a browser that came by form to the same request by GET, where its cookies come along."""
    encoded = urlencode(parameters, doseq=True)
    if len(encoded) > LONGEST_REQUEST:  # a form may say more in as many octets than an address
        return error_page(refuse("request_too_long"), house)
    return redirect(f"{house.issuer}/{page}?{encoded}")


def show(answer: Shown | Returned, house: House) -> Answer:
    """Say a refusal ourselves, or send the browser back to the client with what it is told."""
    if isinstance(answer, Shown):
        return error_page(answer.refusal, house)
    address = answer.address
    if address.response_mode == "query":
        return redirect(response_location(address, answer.parameters))
    values = page_values(house, {"action": address.redirect_uri, "parameters": answer.parameters})
    return render_page(PAGES, "form_post.html", values, form_action=(redirect_source(address.redirect_uri),))


def redirect(location: str, *, headers: Headers = ()) -> Answer:
    """Send the browser on by GET; what stands in the address is told to nobody as Referer."""
    told = ((b"location", location.encode("ascii")), (b"cache-control", b"no-store"))
    return Answer(status=303, headers=(*told, (b"referrer-policy", b"no-referrer"), *headers), body=b"")
