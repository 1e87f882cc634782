"""The question of a proxy: may this request pass? Parsed, and decided (SECURITY D5)."""

import re
from typing import Final, Literal, assert_never

import msgspec

from sealring.protocol.authorization_request import Parameters
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, numeric_date
from sealring.protocol.scope import parse_scope, scope_text

GATE_ASSERTION_TYPE: Final = "sealring-gate+jwt"
GATE_ASSERTION_LIFETIME: Final = 60  # seconds

_METHOD: Final = re.compile(r"[A-Z][A-Z0-9-]{0,31}")
# What two programs could read differently: encoded slashes, dots, backslashes and controls, escapes that are none.
_TARGET: Final = re.compile(r"/[\x21\x24-\x5b\x5d-\x7e]*(?:\?[\x21\x24-\x7e]*)?")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%(?:2[ef]|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
_LONGEST_TARGET: Final = 8192
_LONGEST_RETURN: Final = 512  # characters: it travels in `state`

GateOutcome = Literal["pass", "log_in", "insufficient_scope"]


class GateQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy asks. `scope`: what its configuration demands. `target`: path and query as the client sent them.

    `redirects`: a person who is not signed in is sent to the log-in by our answer; else by the proxy's own means.
    """

    host: str
    scope: frozenset[str]
    method: str
    target: str
    redirects: bool

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class GatePassage(msgspec.Struct, frozen=True, kw_only=True):
    """Who passes. `sid`: of a person's session, None for a program in its own name."""

    sub: str
    client_id: str
    sid: str | None
    scope: frozenset[str]


def parse_gate_question(parameters: Parameters, *, method: str | None, target: str | None) -> GateQuestion | OAuthError:
    """Read the question: `host`, `scope` and `login` come from the proxy's configuration, the rest from the request.

    Unknown parameters are refused: a misspelt `scope` must not let everybody pass.
    """
    if not parameters.keys() <= {"host", "scope", "login"}:
        return refuse("invalid_parameter", description="The parameters of /gate are host, scope and login.")
    if any(len(values) > 1 for values in parameters.values()):
        return refuse("duplicate_parameter")
    given = {name: value for name, (value,) in parameters.items()}
    if "host" not in given:
        return refuse("missing_parameter", description="host is missing.")
    scope = parse_scope(given["scope"]) if "scope" in given else frozenset[str]()
    if isinstance(scope, OAuthError):
        return scope
    if given.get("login", "redirect") != "redirect":
        return refuse("invalid_parameter", description="login can be redirect, or left out.")
    if method is None or target is None:
        return refuse("missing_parameter", description="X-Forwarded-Method and X-Forwarded-Uri are missing.")
    if not _METHOD.fullmatch(method):
        return refuse("invalid_parameter", description="X-Forwarded-Method is no method.")
    if not is_plain_target(target):
        return refuse("ambiguous_target")
    return GateQuestion(host=given["host"], scope=scope, method=method, target=target, redirects="login" in given)


def is_plain_target(target: str) -> bool:
    """Say whether proxy and service must read a request's target alike: no dot segments, no slash but a slash."""
    if len(target) > _LONGEST_TARGET or not _TARGET.fullmatch(target):
        return False
    path = target.partition("?")[0]
    segments = [segment.partition(";")[0] for segment in path.split("/")]
    return not ({".", ".."} & set(segments) or "//" in path or _BAD_ESCAPE.search(path))


def decide_gate(required: frozenset[str], *, held: frozenset[str], client: Client, by_cookie: bool) -> GateOutcome:
    """Say what scopes are worth at a gate. `held`: by the session or the token.

    A person's session counts for what the gate has today; where it was opened before the gate got a scope, a new
    log-in brings that along.
    """
    if not by_cookie:
        return "pass" if required <= held else "insufficient_scope"
    registered = frozenset[str]().union(*client.allowed.values())
    if not required <= registered:
        return "insufficient_scope"
    return "pass" if required <= held else "log_in"


def refuse_passage(outcome: Literal["log_in", "insufficient_scope"], required: frozenset[str]) -> OAuthError:
    """Say to a client why it does not pass."""
    match outcome:
        case "log_in":
            return refuse("gate_session_missing")
        case "insufficient_scope":
            scope = scope_text(required)
            return refuse("insufficient_scope", description=f"This needs the scope: {scope}.", scope=scope)
        case _:
            assert_never(outcome)


def parse_return_to(text: str | None) -> str:
    """Return the target that a person came for, or the front page for whatever is none: never another host."""
    if text is None or len(text) > _LONGEST_RETURN or not is_plain_target(text):
        return "/"
    # A log-out would undo the log-in; a backslash, which a query may have, takes twice its room in `state`.
    return "/" if text.startswith("/.sealring/") or "\\" in text else text


def gate_assertion_payload(passage: GatePassage, question: GateQuestion, *, issuer: str, now: Instant) -> bytes:
    """Write the JSON claims by which the service behind a gate knows who passed it, and for which request."""
    issued_at = numeric_date(now)
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": question.host,
        "sub": passage.sub,
        "client_id": passage.client_id,
        "scope": scope_text(passage.scope),
        "method": question.method,
        "path": question.path,
        "iat": issued_at,
        "exp": issued_at + GATE_ASSERTION_LIFETIME,
    }
    return msgspec.json.encode(claims if passage.sid is None else {**claims, "sid": passage.sid})
