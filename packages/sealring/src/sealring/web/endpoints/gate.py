"""`/gate`: a proxy asks whether a request may pass (SECURITY D5).

nginx and Caddy ask by GET and say in headers what was asked of them; Envoy repeats method and target of the request
below `/gate/HOST/SCOPE`.
"""

from typing import Final

import msgspec

from sealring.browser.cookie import CookiesRefused, cookie_name, parse_cookies, without_own_cookies
from sealring.protocol.authorization_request import Parameters, parse_parameters
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.gate import GateQuestion, parse_gate_question
from sealring.protocol.scope import scope_text
from sealring.protocol.secret import Secret
from sealring.services.gate import Credentials, Passed, authenticate_proxy, pass_gate
from sealring.services.house import House
from sealring.web.exchange import Answer, Headers, Request, refusal_answer
from sealring.web.pages.gate import login_target

_NO_SCOPE: Final = "-"


async def get_gate(request: Request, house: House) -> Answer:
    """Answer nginx or Caddy."""
    method, target = request.headers.get("x-forwarded-method"), request.headers.get("x-forwarded-uri")
    return await _answer(parse_parameters(request.query), request, house, method=method, target=target)


async def any_gate(request: Request, house: House) -> Answer:
    """Answer Envoy, whose question looks as the request that it is about."""
    host, scope = request.parameters["host"], request.parameters["scope"]
    parameters: Parameters = {"host": (host,), "login": ("redirect",)}
    if scope != _NO_SCOPE:
        parameters = {**parameters, "scope": (scope.replace("+", " "),)}
    query = "?" + request.query.decode("latin-1") if request.query else ""
    target = "/" + request.parameters["target*"] + query
    return await _answer(parameters, request, house, method=request.method, target=target)


async def _answer(
    parameters: Parameters | OAuthError, request: Request, house: House, *, method: str | None, target: str | None
) -> Answer:
    if not request.from_proxy:
        return _refused(refuse("gate_proxy_not_trusted"))
    if isinstance(parameters, OAuthError):
        return _refused(parameters)
    question = parse_gate_question(parameters, method=method, target=target)
    if isinstance(question, OAuthError):
        return _refused(question)
    client = await authenticate_proxy(request.headers.get("sealring-gate-key"), question.host, store=house.store)
    if isinstance(client, OAuthError):
        return _refused(client)
    if house.halted:
        return _refused(refuse("store_rolled_back", retry_after=60))
    credentials = _read_credentials(request)
    if isinstance(credentials, OAuthError):
        return _refused(credentials)
    outcome = await pass_gate(
        question,
        client,
        credentials,
        store=house.store,
        signer=house.signer,
        checked=house.checked_tokens,
        now=house.clock(),
    )
    if isinstance(outcome, Passed):
        return _passed(outcome, request)
    if outcome.code == "gate_session_missing" and _navigates(request, question):
        return _send_to_login(outcome, question)
    return _refused(outcome)


def _read_credentials(request: Request) -> Credentials | OAuthError:
    """Read what a request brings. A bearer token counts alone; other schemes are the service's own affair."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Credentials(bearer=Secret(token.strip()))
    cookies = parse_cookies(request.headers.get("cookie"), secure=True)
    if isinstance(cookies, CookiesRefused):
        return refuse("duplicate_cookie")
    cookie = cookies.get(cookie_name("gate", secure=True))
    return Credentials(cookie=None if cookie is None else Secret(cookie))


def _passed(passed: Passed, request: Request) -> Answer:
    """Say yes, with all that the proxy puts in the request: each header is there, so none of a client's stays."""
    passage = passed.passage
    cookie = without_own_cookies(request.headers.get("cookie"), secure=True)
    headers: Headers = (
        (b"cache-control", b"no-store"),
        (b"x-sealring-subject", passage.sub.encode("latin-1", "replace")),
        (b"x-sealring-scope", scope_text(passage.scope).encode("ascii")),
        (b"x-sealring-assertion", passed.assertion.encode("ascii")),
        (b"cookie", cookie.encode("latin-1")),
    )
    return Answer(status=200, headers=headers, body=b"")


def _navigates(request: Request, question: GateQuestion) -> bool:
    """Say whether a person is on the way to a page: what a program asks for is refused, never redirected."""
    if question.method not in {"GET", "HEAD"}:
        return False
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode is not None else "text/html" in request.headers.get("accept", "")


def _send_to_login(refusal: OAuthError, question: GateQuestion) -> Answer:
    target = login_target(question.target).encode("ascii")
    answer = _refused(refusal)
    if not question.redirects:
        return msgspec.structs.replace(answer, headers=(*answer.headers, (b"x-sealring-login", target)))
    headers = ((b"location", target), (b"cache-control", b"no-store"))
    return Answer(status=302, headers=headers, body=b"")


def _refused(refusal: OAuthError) -> Answer:
    """Refuse. Proxies know 401 and 403 of such an answer, and nginx makes a failure of its own of every other one."""
    answer = refusal_answer(refusal)
    status = answer.status if answer.status in {401, 403, 503} else 403
    told = (b"x-sealring-code", refusal.code.encode("ascii"))
    return msgspec.structs.replace(answer, status=status, headers=(*answer.headers, told))
