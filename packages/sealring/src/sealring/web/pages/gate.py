"""`https://HOST/.sealring/…`: log-in and log-out of people at a gated host, whose proxy sends these paths to us.

The cookies are the gated host's own. A log-in is bound to the browser by one of them, and by PKCE besides: a callback
that somebody else began, or that another browser brings, opens nothing.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from sealring.browser.cookie import CookiesRefused, clear_cookie, cookie_name, parse_cookies, set_cookie
from sealring.browser.origin import may_be_own_form
from sealring.protocol.authorization_request import Parameters, parse_parameters
from sealring.protocol.client import Client
from sealring.protocol.client_authentication import NoSecret
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.gate import parse_return_to
from sealring.protocol.gate_registration import GATE_SESSION_LIFETIME, gate_login_scope
from sealring.protocol.interaction import (
    INTERACTION_LIFETIME,
    Interaction,
    browser_digest,
    read_interaction,
    write_interaction,
)
from sealring.protocol.pkce import code_challenge_of
from sealring.protocol.secret import Secret, make_secret
from sealring.protocol.token_request import AuthorizationCodeRequest
from sealring.services.gate import find_gate, sign_in_at_gate, sign_out_at_gate
from sealring.services.house import House
from sealring.web.exchange import Answer, Request
from sealring.web.pages.authorization import redirect
from sealring.web.pages.oauth_error import error_page

_COOKIE: Final = cookie_name("gate", secure=True)
_LOGIN_COOKIE: Final = cookie_name("gate-login", secure=True)


class _Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A browser at a gated host. `host`: as it is registered."""

    client: Client
    host: str
    cookie: str | None
    login_cookie: str | None

    @property
    def callback(self) -> str:
        return f"https://{self.host}/.sealring/callback"


def login_target(target: str) -> str:
    """Write where at a gated host a person signs in to come back to a target."""
    return "/.sealring/login?" + urlencode({"return_to": target})


async def get_gate_login(request: Request, house: House) -> Answer:
    """Begin a log-in: remember in the state where the person wanted to go, and ask ourselves for a code."""
    visit = await _find_visit(request, house)
    if isinstance(visit, OAuthError):
        return _show(visit, request, house)
    parameters = parse_parameters(request.query)
    asked = () if isinstance(parameters, OAuthError) else parameters.get("return_to", ())
    cookie = visit.login_cookie or make_secret(randomness=house.randomness).reveal()
    interaction = Interaction(
        query=parse_return_to(asked[0] if len(asked) == 1 else None),
        began_at=house.clock(),
        browser=browser_digest(cookie),
        question=_question(visit),
    )
    state = write_interaction(interaction, key=house.signer.interaction_keys()[0])
    members = {
        "response_type": "code",
        "client_id": visit.client.client_id,
        "redirect_uri": visit.callback,
        "scope": gate_login_scope(visit.client),
        "state": state,
        "code_challenge": code_challenge_of(_code_verifier(cookie, state)),
        "code_challenge_method": "S256",
    }
    kept = set_cookie(_LOGIN_COOKIE, cookie, same_site="Lax", max_age=INTERACTION_LIFETIME)
    return redirect(f"{house.issuer}/authorize?{urlencode(members, quote_via=quote)}", headers=(kept,))


async def get_gate_callback(request: Request, house: House) -> Answer:
    """Take the code of a log-in that began in this browser, and let it be known by the gate's cookie from now on."""
    visit = await _find_visit(request, house)
    if isinstance(visit, OAuthError):
        return _show(visit, request, house)
    message = _read_callback(request, visit, house)
    if isinstance(message, OAuthError):
        return _show(message, request, house)
    code, interaction = message
    outcome = await sign_in_at_gate(
        code,
        visit.client,
        request.caller,
        store=house.store,
        signer=house.signer,
        pairwise_key=house.pairwise_key,
        now=house.clock(),
        randomness=house.randomness,
    )
    if isinstance(outcome, OAuthError):
        return _show(outcome, request, house)
    kept = set_cookie(_COOKIE, outcome.reveal(), same_site="Lax", max_age=GATE_SESSION_LIFETIME)
    return redirect(f"https://{visit.host}{interaction.query}", headers=(kept,))


async def get_gate_logout(request: Request, house: House) -> Answer:
    """End the session at this host, for a person who followed a link of its own, and go on to the issuer's log-out."""
    visit = await _find_visit(request, house)
    if isinstance(visit, OAuthError):
        return _show(visit, request, house)
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if not may_be_own_form(origin, site, issuer=f"https://{visit.host}"):
        return _show(refuse("cross_site_form"), request, house)
    cookie = None if visit.cookie is None else Secret(visit.cookie)
    await sign_out_at_gate(
        cookie, visit.client, request.caller, store=house.store, signer=house.signer, now=house.clock()
    )
    gone = clear_cookie(_COOKIE, same_site="Lax")
    return redirect(f"{house.issuer}/logout?{urlencode({'client_id': visit.client.client_id})}", headers=(gone,))


async def _find_visit(request: Request, house: House) -> _Visit | OAuthError:
    if not request.from_proxy:
        return refuse("gate_proxy_not_trusted")
    host = request.headers.get("host", "")
    client = await find_gate(host, store=house.store)
    if client is None:
        return refuse("wrong_host")
    if house.halted:
        return refuse("store_rolled_back", retry_after=60)
    cookies = parse_cookies(request.headers.get("cookie"), secure=True)
    if isinstance(cookies, CookiesRefused):
        return refuse("duplicate_cookie")
    return _Visit(client=client, host=host, cookie=cookies.get(_COOKIE), login_cookie=cookies.get(_LOGIN_COOKIE))


def _read_callback(
    request: Request, visit: _Visit, house: House
) -> tuple[AuthorizationCodeRequest, Interaction] | OAuthError:
    parameters = parse_parameters(request.query)
    if isinstance(parameters, OAuthError):
        return parameters
    if any(len(values) > 1 for values in parameters.values()):
        return refuse("duplicate_parameter")
    state = _one(parameters, "state")
    keys, now = house.signer.interaction_keys(), house.clock()
    interaction = read_interaction(state, cookie=visit.login_cookie, keys=keys, now=now)
    if state is None or visit.login_cookie is None or interaction is None or interaction.question != _question(visit):
        return refuse("interaction_expired")
    if _one(parameters, "iss") != house.issuer:
        return refuse("invalid_parameter", description="The answer is of another issuer.")
    code = _one(parameters, "code")
    if code is None:
        denied = _one(parameters, "error") == "access_denied"
        return refuse("access_denied") if denied else refuse("missing_parameter", description="There is no code.")
    message = AuthorizationCodeRequest(
        credentials=NoSecret(client_id=visit.client.client_id),
        code=Secret(code),
        redirect_uri=visit.callback,
        code_verifier=Secret(_code_verifier(visit.login_cookie, state)),
        resource=None,
    )
    return message, interaction


def _one(parameters: Parameters, name: str) -> str | None:
    return parameters.get(name, (None,))[0]


def _question(visit: _Visit) -> str:
    return f"gate {visit.host}"


def _code_verifier(cookie: str, state: str) -> str:
    # The state is no secret, the cookie is; so each log-in has a verifier of its own, and nothing more to keep.
    return urlsafe_b64encode(sha256(f"{cookie}.{state}".encode()).digest()).rstrip(b"=").decode()


def _show(refusal: OAuthError, request: Request, house: House) -> Answer:
    # Its style comes from the gated host as well: pages load nothing from anywhere else.
    return error_page(refusal, house, base="/.sealring" if request.from_proxy else None)
