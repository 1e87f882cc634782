"""`/login`: a person signs in in this browser, for the client that sent them or to see their own account."""

import msgspec

from sealring.protocol.authorization_request import find_client_id, parse_parameters
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.interaction import Interaction, account_digest
from sealring.protocol.redirect_uri import redirect_source
from sealring.protocol.secret import Secret
from sealring.protocol.sso_session import SsoSession
from sealring.services.authorization import Asked, find_authorization_request
from sealring.services.house import House
from sealring.services.session import DevicePresented
from sealring.services.sso_session import PasswordForm, sign_in_browser
from sealring.web.exchange import Answer, Request
from sealring.web.form import read_form
from sealring.web.pages.authorization import redirect, show
from sealring.web.pages.browser import Browser, find_session, read_browser, refuse_foreign_form
from sealring.web.pages.client_card import client_card
from sealring.web.pages.interaction import carry, find_interaction, take_interaction
from sealring.web.pages.oauth_error import error_page
from sealring.web.pages.render import PAGES, page_values, render_page


async def get_login(request: Request, house: House) -> Answer:
    """Show the form, with the client that sent the person."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    interaction = find_interaction(request.query, browser, house) or refuse("interaction_expired")
    if isinstance(interaction, OAuthError):
        return error_page(interaction, house)
    return await _form(interaction, await find_session(browser, house), house)


async def post_login(request: Request, house: House) -> Answer:
    """Sign the person in, and go on with what waited."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    form = refuse_foreign_form(request, house) or read_form(request)
    if isinstance(form, OAuthError):
        return error_page(form, house)
    if house.halted:
        return error_page(refuse("store_rolled_back", retry_after=60), house)
    interaction = take_interaction(form.get("interaction"), browser, house)
    if isinstance(interaction, OAuthError):
        return error_page(interaction, house)
    current = await find_session(browser, house)
    if form.get("act") == "continue":
        return await _continue(interaction, current, house)
    name, password = form.get("username", ""), form.get("password", "")
    if not name or not password:
        return await _form(interaction, current, house, refusal=refuse("wrong_credentials"), name=name)
    typed = PasswordForm(login_name=name, password=Secret(password), client_id=_client_id(interaction))
    return await _sign_in(typed, interaction, request, current=current, house=house, browser=browser)


async def _continue(interaction: Interaction, current: SsoSession | None, house: House) -> Answer:
    """Go on as whoever is signed in: the person's choice, which satisfies `prompt=select_account` and nothing else."""
    if current is None or not interaction.query:
        return await _form(interaction, current, house)
    chosen = msgspec.structs.replace(interaction, account=account_digest(current.id))
    return redirect(f"{house.issuer}/authorize?interaction={carry(chosen, house)}")


async def _sign_in(
    typed: PasswordForm,
    interaction: Interaction,
    request: Request,
    *,
    current: SsoSession | None,
    browser: Browser,
    house: House,
) -> Answer:
    device = None if browser.device is None else DevicePresented(token=Secret(browser.device), signer=house.signer)
    signed_in = await sign_in_browser(
        typed,
        request.caller,
        current=current,
        presented=device,
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        limit=house.limit,
        policy=house.sso_policy,
        now=house.clock(),
        randomness=house.randomness,
    )
    if isinstance(signed_in, OAuthError):
        return await _form(interaction, current, house, refusal=signed_in, name=typed.login_name)
    kept = (*browser.keep("sso", signed_in.cookie.reveal()), *browser.keep_device(signed_in.device_token.reveal()))
    onward = f"authorize?interaction={carry(interaction, house)}" if interaction.query else "account"
    return redirect(f"{house.issuer}/{onward}", headers=kept)


async def _form(
    interaction: Interaction,
    current: SsoSession | None,
    house: House,
    *,
    refusal: OAuthError | None = None,
    name: str | None = None,
) -> Answer:
    asked: Asked | None = None
    if interaction.query:
        found = await find_authorization_request(interaction.query.encode(), store=house.store, issuer=house.issuer)
        if not isinstance(found, Asked):  # the client has changed in the meantime
            return show(found, house)
        asked = found
    hint = "" if asked is None else asked.request.login_hint or ""
    values: dict[str, object] = {
        "interaction": carry(interaction, house),
        "name": hint if name is None else name,
        "refusal": refusal,
        "current": await _offered(asked, interaction, current, house),
        "client": None if asked is None else client_card(asked.client, redirect_uri=asked.request.address.redirect_uri),
    }
    sources = () if asked is None else (redirect_source(asked.request.address.redirect_uri),)
    # 401 would make a browser ask for a password of its own: it is a page that says what was wrong.
    status = 200 if refusal is None else max(refusal.status, 400)
    return render_page(PAGES, "login.html", page_values(house, values), status=status, form_action=sources)


async def _offered(
    asked: Asked | None, interaction: Interaction, current: SsoSession | None, house: House
) -> str | None:
    """Name whoever may go on without a password: the one who is signed in, where the client only lets people choose."""
    if asked is None or current is None or interaction.account is not None:
        return None
    if "select_account" not in asked.request.prompt or "login" in asked.request.prompt:
        return None
    user = await house.store.users.find(current.sub)
    return None if user is None else user.username or user.email or user.sub


def _client_id(interaction: Interaction) -> str | None:
    parameters = parse_parameters(interaction.query.encode())
    client_id = parameters if isinstance(parameters, OAuthError) else find_client_id(parameters)
    return None if isinstance(client_id, OAuthError) else client_id
