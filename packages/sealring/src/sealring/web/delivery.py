"""How tokens reach a client: in the body, or its refresh token by cookies that no script sees (SECURITY A5, D1)."""

from hashlib import sha256
from typing import Final

import msgspec

from sealring.browser.cookie import CookiesRefused, clear_cookie, cookie_name, parse_cookies, set_cookie
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Randomness, Secret, make_secret
from sealring.protocol.session import refuse_page
from sealring.protocol.token_response import TokenResponse
from sealring.services.house import House
from sealring.web.exchange import Answer, Headers, Request, is_marked, json_answer, no_content

_DEVICE_SECONDS: Final = 90 * 24 * 3600


class SessionCookies(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser has of one client: None each where it has none, or the client's tokens come in the body.

    `binding`: 256 random bits of the log-in, which every refresh must show beside the refresh token.
    """

    refresh_token: Secret | None = None
    binding: Secret | None = None
    device_token: Secret | None = None


def read_session_cookies(request: Request, client: Client, house: House) -> SessionCookies | OAuthError:
    """Read the cookies of `client`; two of one name are refused, since somebody may have planted one."""
    if client.token_delivery == "body":
        return SessionCookies()
    cookies = parse_cookies(request.headers.get("cookie"), secure=house.issuer.startswith("https://"))
    if isinstance(cookies, CookiesRefused):
        return refuse("duplicate_cookie")
    names = {"refresh_token": "refresh", "binding": "binding", "device_token": "device"}
    found = {member: cookies.get(_name(noun, client, house)) for member, noun in names.items()}
    return SessionCookies(**{member: None if value is None else Secret(value) for member, value in found.items()})


def refuse_delivery(request: Request, client: Client) -> OAuthError | None:
    """Say why the answer to a request may not write cookies of `client`, or None (SECURITY D2)."""
    if client.token_delivery == "body":
        return None
    return refuse_page(client, origin=request.headers.get("origin"), marked=is_marked(request))


def make_binding(client: Client, *, randomness: Randomness) -> Secret | None:
    """Throw the dice for the browser binding of a new session: 256 bits, None where tokens come in the body."""
    if client.token_delivery == "body":
        return None
    return make_secret(randomness=randomness)


def bind(caller: Caller, binding: Secret | None) -> Caller:
    """Say of a caller which browser it is."""
    digest = None if binding is None else sha256(binding.reveal().encode()).digest()
    return msgspec.structs.replace(caller, binding_digest=digest)


def deliver(response: TokenResponse, client: Client, house: House, *, binding: Secret | None = None) -> Answer:
    """Answer with tokens as the client's registration has it. `binding`: of a new session, None at a refresh.

    By cookie the body holds the access token and what is no credential; the refresh token is in no place that a
    script could read.
    """
    if client.token_delivery == "body":
        return json_answer(response)
    cookies: Headers = ()
    if response.refresh_token is not None:
        refresh = _name("refresh", client, house)
        cookies += (set_cookie(refresh, response.refresh_token, same_site="Strict", max_age=client.idle_lifetime),)
        if binding is not None:
            held = (_name("binding", client, house), binding.reveal())
            cookies += (set_cookie(*held, same_site="Strict", max_age=client.absolute_lifetime),)
    if response.device_token is not None:
        device = _name("device", client, house)
        cookies += (set_cookie(device, response.device_token, same_site="Lax", max_age=_DEVICE_SECONDS),)
    told = msgspec.structs.replace(response, refresh_token=None, device_token=None)
    return json_answer(told, headers=cookies)


def forget_session(client: Client, house: House) -> Answer:
    """Answer that the browser is signed out of `client`, and take its cookies away."""
    gone = tuple(
        clear_cookie(_name(noun, client, house), same_site="Strict")
        for noun in ("refresh", "binding")
        if client.token_delivery == "cookie"
    )
    done = no_content()
    return msgspec.structs.replace(done, headers=(*done.headers, *gone))


def _name(noun: str, client: Client, house: House) -> str:
    # A client id is made of characters that a cookie's name may have. A device is known to all clients.
    own = noun if noun == "device" else f"{noun}-{client.client_id}"
    return cookie_name(own, secure=house.issuer.startswith("https://"))
