"""`/account`: people see where they are signed in and what they allowed, end it, and change their password."""

from datetime import UTC, datetime

from sealring.browser.cookie import clear_cookie, cookie_name
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Secret
from sealring.protocol.sso_session import SsoSession
from sealring.services.account import (
    AccountSeen,
    PasswordChange,
    browser_name,
    change_own_password,
    end_own_browser,
    see_account,
    withdraw_consent,
)
from sealring.services.end_session import end_own_session, end_own_sessions
from sealring.services.house import House
from sealring.web.exchange import Answer, Request
from sealring.web.form import read_form
from sealring.web.pages.authorization import redirect
from sealring.web.pages.browser import Browser, find_session, read_browser, refuse_foreign_form
from sealring.web.pages.interaction import begin_interaction, take_interaction
from sealring.web.pages.oauth_error import error_page
from sealring.web.pages.render import PAGES, page_values, render_page


async def get_account(request: Request, house: House) -> Answer:
    """Show the account, to whoever is signed in; anybody else signs in first."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    session = await find_session(browser, house)
    if session is None:
        text, kept = begin_interaction("", browser, house)
        return redirect(f"{house.issuer}/login?interaction={text}", headers=kept)
    return await _page(session, browser, house)


async def post_account(request: Request, house: House) -> Answer:
    """Do one of the things that the page offers."""
    browser = read_browser(request, house)
    if isinstance(browser, OAuthError):
        return error_page(browser, house)
    form = refuse_foreign_form(request, house) or read_form(request)
    if isinstance(form, OAuthError):
        return error_page(form, house)
    session = await find_session(browser, house)
    if session is None:
        return redirect(f"{house.issuer}/account")
    interaction = take_interaction(form.get("interaction"), browser, house)
    if isinstance(interaction, OAuthError):
        return await _page(session, browser, house, refusal=interaction)
    if form.get("act") == "password":
        change = PasswordChange(
            current_password=Secret(form.get("current_password", "")), new_password=Secret(form.get("new_password", ""))
        )
        return await _change_password(change, session, browser, request, house=house)
    return await _act(form.get("act"), form.get("name", ""), session, request, browser=browser, house=house)


async def _act(
    act: str | None, name: str, session: SsoSession, request: Request, *, browser: Browser, house: House
) -> Answer:
    store, now = house.store, house.clock()
    match act:
        case "end_browser":
            await end_own_browser(session, name, request.caller, store=store, now=now)
        case "end_session":
            await end_own_session(session.sub, name, request.caller, store=store, now=now)
        case "withdraw":
            await withdraw_consent(session, name, request.caller, store=store, now=now)
        case "end_all":
            await end_own_sessions(session.sub, request.caller, store=store, now=now)
            gone = clear_cookie(cookie_name("sso", secure=browser.secure), same_site="Lax")
            return redirect(f"{house.issuer}/logged-out", headers=(gone,))
        case _:
            return await _page(session, browser, house, refusal=refuse("invalid_parameter"))
    return redirect(f"{house.issuer}/account")


async def _change_password(
    change: PasswordChange, session: SsoSession, browser: Browser, request: Request, *, house: House
) -> Answer:
    cookie = await change_own_password(
        change,
        session,
        request.caller,
        store=house.store,
        hashing=house.hashing,
        limit=house.limit,
        policy=house.password_policy,
        sso_policy=house.sso_policy,
        now=house.clock(),
        randomness=house.randomness,
    )
    if isinstance(cookie, OAuthError):
        return await _page(session, browser, house, refusal=cookie)
    return redirect(f"{house.issuer}/account", headers=browser.keep("sso", cookie.reveal()))


async def _page(session: SsoSession, browser: Browser, house: House, *, refusal: OAuthError | None = None) -> Answer:
    account = await see_account(session, store=house.store, issuer=house.issuer, now=house.clock())
    if account is None:
        return error_page(refuse("unknown_user"), house)
    text, kept = begin_interaction("", browser, house)
    values = {**_shown(account, session), "interaction": text, "refusal": refusal}
    status = 200 if refusal is None else refusal.status
    return render_page(PAGES, "account.html", page_values(house, values), status=status, headers=kept)


def _shown(account: AccountSeen, current: SsoSession) -> dict[str, object]:
    return {
        "person": account.user.username or account.user.email or account.user.sub,
        "browsers": [_browser(each, account, current=each.id == current.id) for each in account.browsers],
        "sessions": [
            {
                "sid": each.sid,
                "client": _client(each.client_id, account),
                "where": _where(each.user_agent, each.network),
                "used": _date(each.last_used_at),
            }
            for each in account.sessions
        ],
        "applications": account.applications,
        "consents": [
            {"client_id": each.client_id, "client": _client(each.client_id, account), "scope": sorted(each.scope)}
            for each in account.consents
        ],
    }


def _browser(session: SsoSession, account: AccountSeen, *, current: bool) -> dict[str, object]:
    return {
        "name": browser_name(session),
        "current": current,
        "where": _where(session.user_agent, session.network),
        "since": _date(session.created_at),
        "used": _date(session.last_used_at),
        "clients": [_client(each.client_id, account) for each in account.sessions if each.sso_id == session.id],
    }


def _client(client_id: str, account: AccountSeen) -> str:
    return account.client_names.get(client_id, client_id)


def _where(user_agent: str | None, network: str | None) -> str:
    return " · ".join(text for text in (user_agent, network) if text)


def _date(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
