"""The claims of an access token (RFC 9068 §2.2), read strictly: the type that only verification makes."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec

from sealring_verify.errors import InvalidToken
from sealring_verify.jose.json_object import DuplicateMember, parse_json_object

# RFC 6749 §3.3: scope tokens of visible ASCII without quote and backslash, one space between them.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
# The year 5138. A date beyond it counts milliseconds, or is an attack on arithmetic.
_LATEST_DATE = 99_999_999_999
_NOTHING: frozenset[str] = frozenset()
_NO_CLAIMS: Mapping[str, object] = MappingProxyType({})


class AccessToken(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a verified access token says. Dates are whole seconds since 1970, UTC.

    `aud` names every API that the token is for, the verifier's among them. `sub_epoch` and `client_epoch` rise when the
    issuer ends everything of a person or a client. A client in its own name has its id as `sub` too, and no `sid`;
    Sealring calls no person so. Where a provider's tokens have no id or name no client, `jti` or `client_id` is empty.
    `claims` holds whatever else the token says, unchangeable.
    """

    iss: str
    sub: str
    aud: tuple[str, ...]
    exp: int
    iat: int
    jti: str
    client_id: str
    scope: frozenset[str]
    nbf: int | None = None
    sid: str | None = None
    sub_epoch: int | None = None
    client_epoch: int | None = None
    auth_time: int | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    claims: Mapping[str, object] = _NO_CLAIMS

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes in alphabetical order, for printing."""
        return tuple(sorted(self.scope))


_Date = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_DATE)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _UsualClaims(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The claims of nearly all tokens of Sealring's, in the order in which it writes them."""

    iss: _Text
    sub: _Text
    aud: _Text
    exp: _Date
    iat: _Date
    jti: _Text
    client_id: _Text
    scope: _Text
    sid: _Text | None = None
    sub_epoch: _Date | None = None
    client_epoch: _Date | None = None
    amr: tuple[str, ...] = ()
    auth_time: _Date | None = None
    acr: _Text | None = None
    roles: tuple[str, ...] = ()


_decode_usual = msgspec.json.Decoder(_UsualClaims).decode
_encode = msgspec.json.Encoder().encode
_MOST_SCOPES_SEEN = 256
_LONGEST_SCOPE_SEEN = 512  # characters
_scopes_seen: dict[str, frozenset[str]] = {}
_NAMED = frozenset(AccessToken.__struct_fields__) - {"claims"}


def parse_access_token(payload: bytes) -> AccessToken:
    """Read a payload whose signature held. Says nothing yet about issuer, audience and time.

    Raises InvalidToken: token_malformed, duplicate_member, missing_claim, invalid_claim (with the claim's name).
    """
    # A usual token is read in one go, any other with more care. What these claims are written as has each member once:
    # octets that equal it are free of duplicates and of all that two readers may take differently.
    try:
        usual = _decode_usual(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return read_claims(parse_claims_set(payload))
    scope = _scopes_seen.get(usual.scope) or _note_scope(usual.scope)
    if scope is None or _encode(usual) != payload:
        return read_claims(parse_claims_set(payload))
    return AccessToken(
        iss=usual.iss,
        sub=usual.sub,
        aud=(usual.aud,),
        exp=usual.exp,
        iat=usual.iat,
        jti=usual.jti,
        client_id=usual.client_id,
        scope=scope,
        sid=usual.sid,
        sub_epoch=usual.sub_epoch,
        client_epoch=usual.client_epoch,
        amr=usual.amr,
        auth_time=usual.auth_time,
        acr=usual.acr,
        roles=usual.roles,
    )


def _note_scope(text: str) -> frozenset[str] | None:
    """Make the set of a scope, and keep it for the next token: few are asked for again and again. None: it is none."""
    if not _SCOPE.fullmatch(text):
        return None
    scope = frozenset(text.split(" "))
    if len(text) <= _LONGEST_SCOPE_SEEN:
        if len(_scopes_seen) >= _MOST_SCOPES_SEEN:
            _scopes_seen.clear()
        _scopes_seen[text] = scope
    return scope


def parse_claims_set(payload: bytes) -> dict[str, object]:
    """Read the JSON object of a payload. Raises InvalidToken: token_malformed, duplicate_member."""
    try:
        return parse_json_object(payload)
    except DuplicateMember:
        raise InvalidToken("duplicate_member") from None
    except ValueError:
        raise InvalidToken("token_malformed") from None


def read_claims(
    claims_set: Mapping[str, object],
    *,
    may_lack: Collection[str] = _NOTHING,
    unread: Collection[str] = _NOTHING,
) -> AccessToken:
    """Read the claims of an access token. Raises InvalidToken: missing_claim, invalid_claim (with the claim's name).

    Those of `jti` and `client_id` that `may_lack` names are empty strings where they are missing. Claims that `unread`
    names stay in `claims` as they are: their issuer means something else by them.
    """
    members = {name: value for name, value in claims_set.items() if name not in unread} if unread else claims_set
    return AccessToken(
        iss=_text(members, "iss"),
        sub=_text(members, "sub"),
        aud=_audience(members),
        exp=_whole_number(_required(members, "exp"), "exp"),
        iat=_whole_number(_required(members, "iat"), "iat"),
        jti="" if "jti" in may_lack and "jti" not in members else _text(members, "jti"),
        client_id="" if "client_id" in may_lack and "client_id" not in members else _text(members, "client_id"),
        scope=_scope(members),
        nbf=_optional_whole_number(members, "nbf"),
        sid=_optional_text(members, "sid"),
        sub_epoch=_optional_whole_number(members, "sub_epoch"),
        client_epoch=_optional_whole_number(members, "client_epoch"),
        auth_time=_optional_whole_number(members, "auth_time"),
        acr=_optional_text(members, "acr"),
        amr=_texts(members, "amr"),
        roles=_texts(members, "roles"),
        claims=_other_claims(claims_set, unread),
    )


def _required(members: Mapping[str, object], claim: str) -> object:
    if claim not in members:
        raise InvalidToken("missing_claim", claim)
    return members[claim]


def _text(members: Mapping[str, object], claim: str) -> str:
    value = _required(members, claim)
    if not isinstance(value, str) or not value:
        raise InvalidToken("invalid_claim", claim)
    return value


def _optional_text(members: Mapping[str, object], claim: str) -> str | None:
    return _text(members, claim) if claim in members else None


def _texts(members: Mapping[str, object], claim: str) -> tuple[str, ...]:
    values = members.get(claim, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidToken("invalid_claim", claim)
    return tuple(values)


def _whole_number(value: object, claim: str) -> int:
    # `type`, because True is an int to isinstance; 17.0 is refused too, as parsers disagree about large floats.
    if type(value) is not int or not 0 <= value <= _LATEST_DATE:
        raise InvalidToken("invalid_claim", claim)
    return value


def _optional_whole_number(members: Mapping[str, object], claim: str) -> int | None:
    return _whole_number(members[claim], claim) if claim in members else None


def _audience(members: Mapping[str, object]) -> tuple[str, ...]:
    value = _required(members, "aud")
    audience = _texts(members, "aud") if isinstance(value, list) else (_text(members, "aud"),)
    if not all(audience) or not audience:
        raise InvalidToken("invalid_claim", "aud")
    return audience


def _scope(members: Mapping[str, object]) -> frozenset[str]:
    value = members.get("scope", "")
    if value == "":
        return frozenset()
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise InvalidToken("invalid_claim", "scope")
    return frozenset(value.split(" "))


def _other_claims(members: Mapping[str, object], unread: Collection[str]) -> Mapping[str, object]:
    others = {name: _frozen(value) for name, value in members.items() if name not in _NAMED or name in unread}
    return MappingProxyType(others) if others else _NO_CLAIMS


def _frozen(value: object) -> object:
    # A verified token is shared by all requests that carry it: what one of them changed, the next would believe.
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(member) for name, member in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(member) for member in value)
    return value
