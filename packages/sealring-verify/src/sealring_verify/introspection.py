"""Token introspection (RFC 7662) from the API's side, pure: the request, the answer, and how long it counts."""

import base64
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode

import msgspec

from sealring_verify.claims import AccessToken, read_claims
from sealring_verify.errors import IntrospectionUnavailable, InvalidToken
from sealring_verify.jose.json_object import parse_json_object

# What is revoked is refused after at most this long, in seconds.
ANSWER_COUNTS_FOR = 2.0
_MAX_ANSWERS = 10_000
# Members of an answer that are no claims of the token.
_ABOUT_THE_TOKEN = frozenset({"active", "token_type", "username"})


class IntrospectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One form POST, ready to be sent. Its repr shows neither token nor credential."""

    url: str
    authorization: str
    body: bytes

    def __repr__(self) -> str:
        return f"IntrospectionRequest(url={self.url!r})"


class IntrospectionAnswers:
    """The newest answers by the token's digest; bounded, and each forgotten after `ANSWER_COUNTS_FOR`."""

    def __init__(self) -> None:
        self._answers: dict[bytes, tuple[bool, float]] = {}

    def recall(self, digest: bytes, *, now: float) -> bool | None:
        """Give an answer that still counts; `now` is monotonic seconds."""
        active, until = self._answers.get(digest, (False, 0.0))
        return active if now < until else None

    def note(self, digest: bytes, *, active: bool, asked_at: float) -> None:
        """Keep an answer. It counts from when the question was sent, since it may have been true no later."""
        if len(self._answers) >= _MAX_ANSWERS:
            self._answers = {}
        self._answers[digest] = (active, asked_at + ANSWER_COUNTS_FOR)


def introspection_request(token: str, *, endpoint: str, audience: str, api_key: str) -> IntrospectionRequest:
    """Ask about a token as the API that it is for: HTTP Basic, both halves form-encoded first (RFC 6749 §2.3.1)."""
    credential = f"{quote_plus(audience)}:{quote_plus(api_key)}".encode()
    return IntrospectionRequest(
        url=endpoint,
        authorization="Basic " + base64.b64encode(credential).decode(),
        body=urlencode({"token": token, "token_type_hint": "access_token"}).encode(),
    )


def parse_introspection(status: int, body: bytes) -> bool:
    """Say whether the token is active (RFC 7662 §2.2). Raises IntrospectionUnavailable for any other answer."""
    return _active(status, _members(status, body))


def parse_introspected_token(status: int, body: bytes) -> AccessToken | None:
    """Read the claims of an active token, None for one that is not (RFC 7662 §2.2).

    Raises IntrospectionUnavailable for any other answer, and for one that lacks what an access token must say: what
    the issuer of a token answers about it is no fault of whoever has it.
    """
    members = _members(status, body)
    if not _active(status, members):
        return None
    claims = {name: value for name, value in members.items() if name not in _ABOUT_THE_TOKEN}
    try:
        return read_claims(claims)
    except InvalidToken as fault:
        raise _unavailable(
            f"The introspection endpoint answered with claims that cannot be used ({fault.code})."
        ) from None


def _members(status: int, body: bytes) -> Mapping[str, object]:
    if status == 401:
        raise _unavailable("The issuer refuses this API's credential: check SEALRING_API_KEY and SEALRING_AUDIENCE.")
    try:
        return parse_json_object(body) if status == 200 else {}
    except ValueError:
        return {}


def _active(status: int, members: Mapping[str, object]) -> bool:
    active = members.get("active")
    if not isinstance(active, bool):
        raise _unavailable(f"The introspection endpoint answered {status} without saying whether the token is active.")
    return active


def _unavailable(message: str) -> IntrospectionUnavailable:
    return IntrospectionUnavailable("introspection_unavailable", message)
