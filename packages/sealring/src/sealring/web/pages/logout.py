"""`/logout` (OpenID Connect RP-Initiated Logout 1.0) and `/logged-out`, where it ends without a client."""

from sealring.browser.cookie import clear_cookie, cookie_name
from sealring.protocol.authorization_request import parse_parameters
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.redirect_uri import redirect_source
from sealring.protocol.sso_session import SsoSession
from sealring.services.browser_logout import LogoutAsked, find_logout_request, log_out_browser, needs_confirmation
from sealring.services.frontchannel_logout import find_client_frames
from sealring.services.house import House
from sealring.web.exchange import Answer, Request
from sealring.web.form import is_form
from sealring.web.pages.authorization import ask_by_get, redirect
from sealring.web.pages.browser import Browser, find_session, read_browser, refuse_foreign_form
from sealring.web.pages.client_card import ClientCard, client_card
from sealring.web.pages.interaction import begin_interaction, take_interaction
from sealring.web.pages.oauth_error import error_page
from sealring.web.pages.render import PAGES, page_values, render_page


async def get_logout(request: Request, house: House) -> Answer:
    """Log the browser out where the client's ID token names who is signed in; else ask the person."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    asked = await _find(request.query, house)
    if isinstance(asked, OAuthError):
        return error_page(asked, house)
    session = await find_session(browser, house)
    if needs_confirmation(asked, session, pairwise_key=house.pairwise_key):
        return _confirm(asked, request.query, browser, house)
    return await _log_out(asked, session, browser, request, house=house)


async def post_logout(request: Request, house: House) -> Answer:
    """Take the person's yes; a client's request by form is asked for again by GET, where the cookies come along."""
    if not is_form(request):
        return error_page(refuse("wrong_content_type"), house)
    parameters = parse_parameters(request.body)
    if isinstance(parameters, OAuthError):
        return error_page(parameters, house)
    if "interaction" not in parameters:
        return ask_by_get("logout", parameters, house)
    browser = refuse_foreign_form(request, house) or read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    interaction = take_interaction(parameters["interaction"][0], browser, house)
    if isinstance(interaction, OAuthError):
        return error_page(interaction, house)
    asked = await _find(interaction.query.encode(), house)
    if isinstance(asked, OAuthError):
        return error_page(asked, house)
    return await _log_out(asked, await find_session(browser, house), browser, request, house=house)


async def get_logged_out(_request: Request, house: House) -> Answer:
    """Say that the log-out is done."""
    return render_page(PAGES, "logged_out.html", page_values(house, {"frames": (), "location": None}))


async def _find(encoded: bytes, house: House) -> LogoutAsked | OAuthError:
    parameters = parse_parameters(encoded)
    if isinstance(parameters, OAuthError):
        return parameters
    return await find_logout_request(parameters, store=house.store, signer=house.signer)


async def _log_out(
    asked: LogoutAsked, session: SsoSession | None, browser: Browser, request: Request, *, house: House
) -> Answer:
    ended = await log_out_browser(session, asked.hint, request.caller, store=house.store, now=house.clock())
    gone = clear_cookie(cookie_name("sso", secure=browser.secure), same_site="Lax")
    told = house.frontchannel_logout
    frames = await find_client_frames(ended, store=house.store, issuer=house.issuer) if told else ()
    if not frames:
        return redirect(asked.location or f"{house.issuer}/logged-out", headers=(gone,))
    values = page_values(house, {"frames": frames, "location": asked.location})
    sources = sorted({frame.source for frame in frames})
    return render_page(PAGES, "logged_out.html", values, frame_src=sources, headers=(gone,))


def _card(asked: LogoutAsked) -> ClientCard | None:
    """Say of the client what the other pages say; one that registered itself is known by where it leads alone."""
    client = asked.client
    if client is None or client.code_flow is None:
        return None
    return client_card(client, redirect_uri=asked.location or client.code_flow.redirect_uris[0])


def _confirm(asked: LogoutAsked, query: bytes, browser: Browser, house: House) -> Answer:
    text, kept = begin_interaction(query.decode("latin-1"), browser, house)
    sources = () if asked.location is None else (redirect_source(asked.location),)
    values = page_values(house, {"interaction": text, "client": _card(asked)})
    return render_page(PAGES, "logout.html", values, form_action=sources, headers=kept)
