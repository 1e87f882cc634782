"""What a provider's tokens look like where they differ from RFC 9068, as data; and reading them by it, pure."""

import re
from collections.abc import Mapping

import msgspec

from sealring_verify.claims import AccessToken, parse_claims_set, read_claims
from sealring_verify.errors import InvalidToken
from sealring_verify.issuer_metadata import Discovery
from sealring_verify.jose.algorithms import ALGORITHMS, OTHER_NAMES
from sealring_verify.jose.jws import VerifiedJws

# RFC 6749 §3.3, one token of it: in a list an entry with a space would count as two.
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
# Sealring's own. Another issuer's claims of these names mean something else, of whatever type.
_SEALRINGS = frozenset({"sub_epoch", "client_epoch"})


class ClaimRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must say: the claim at `path` is one of `values`, None among which lets it be absent.

    `values=None`: it must be there. A token that says otherwise is refused with `code`,
    or claim_refused.
    """

    path: tuple[str, ...]
    values: frozenset[str | None] | None
    code: str | None = None


class ProviderProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider's tokens are to be read. Its defaults are RFC 9068; what is said otherwise is an exception.

    `types` are the values of `typ` in lower case without `application/`; None stands for a header without one.
    `issuers` and `audiences` are accepted beside the verifier's own. The first of `client_id_claims` that is there says
    the client; `audience_claim="client_id"`: tokens have no `aud`, and the client stands for it. `scope_claim` holds a
    string of scopes or a list of them. `roles_path` leads to a list; None: the provider has no such claim. `may_lack`
    names those of `jti` and `client_id` that may be missing, and are read as an empty string then. `one_of`: at least
    one of these must be there. `advice` has a better sentence for some codes. `discovery=None`: RFC 8414's address.
    """

    name: str
    discovery: Discovery | None = None
    algorithms: frozenset[str] = ALGORITHMS
    types: frozenset[str | None] = frozenset({"at+jwt"})
    issuers: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    audience_claim: str = "aud"
    client_id_claims: tuple[str, ...] = ("client_id",)
    scope_claim: str = "scope"
    roles_path: tuple[str, ...] | None = None
    jti_claim: str = "jti"
    may_lack: frozenset[str] = frozenset()
    one_of: tuple[str, ...] = ()
    rules: tuple[ClaimRule, ...] = ()
    advice: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a profile that asks for nothing, or for what cannot be."""
        known = ALGORITHMS | OTHER_NAMES.keys()
        if not self.algorithms or not known.issuperset(self.algorithms):
            raise ValueError(f"algorithms must be some of: {', '.join(sorted(known))}")
        if not self.types:
            raise ValueError("types must name at least one typ, or None for tokens without one")
        if not self.client_id_claims or not all((*self.client_id_claims, self.scope_claim, self.jti_claim)):
            raise ValueError("client_id_claims, scope_claim and jti_claim must be names of claims")
        if self.audience_claim not in {"aud", "client_id"}:
            raise ValueError('audience_claim must be "aud" or "client_id"')
        if not self.may_lack <= {"jti", "client_id"}:
            raise ValueError("may_lack can name jti and client_id only")


def absent(*claims: str) -> tuple[ClaimRule, ...]:
    """Make the rules by which a token with one of these claims is another kind of token than the wanted one."""
    return tuple(ClaimRule(path=(claim,), values=frozenset({None}), code="wrong_type") for claim in claims)


def read_provider_token(jws: VerifiedJws, *, issuer: str, profile: ProviderProfile) -> AccessToken:
    """Read the claims of a JWS whose signature held, as its provider writes them; nothing is said yet of time.

    The order is: type, issuer, the profile's rules, each claim. Raises InvalidToken and nothing else.
    """
    if _media_type(jws.header.typ) not in profile.types:
        raise InvalidToken("wrong_type")
    return read_provider_claims(parse_claims_set(jws.payload), issuer=issuer, profile=profile)


def read_provider_claims(members: Mapping[str, object], *, issuer: str, profile: ProviderProfile) -> AccessToken:
    """Read claims as a provider writes them, whoever vouches for them. Raises InvalidToken and nothing else."""
    told = members.get("iss")
    if isinstance(told, str) and told != issuer and told not in profile.issuers:
        raise InvalidToken("wrong_issuer", "iss")
    for rule in profile.rules:
        _check_rule(members, rule)
    if profile.one_of and members.keys().isdisjoint(profile.one_of):
        raise InvalidToken("missing_claim", profile.one_of[0])
    unread = _SEALRINGS if profile.roles_path else _SEALRINGS | {"roles"}
    return read_claims(_renamed(members, profile), may_lack=profile.may_lack, unread=unread)


def accepted_issuer(access_token: AccessToken, *, issuer: str, profile: ProviderProfile) -> str:
    """Give the issuer that the token must name: its own, if the profile accepts that one too."""
    return access_token.iss if access_token.iss in profile.issuers else issuer


def accepted_audience(access_token: AccessToken, *, audience: str, profile: ProviderProfile) -> str:
    """Give the audience that the token must name: one of the profile's, if it names one."""
    return next((named for named in access_token.aud if named in profile.audiences), audience)


def _media_type(typ: str | None) -> str | None:
    # RFC 7515 §4.1.9: "application/" may be left out; media types are compared without regard to case.
    return None if typ is None else typ.lower().removeprefix("application/")


def _check_rule(members: Mapping[str, object], rule: ClaimRule) -> None:
    value = _at(members, rule.path)
    if rule.values is None:
        if value is None:
            raise InvalidToken("missing_claim", rule.path[0])
        return
    # Whatever is neither absent nor text, as a list or a number, is none of the values.
    known = value is None or isinstance(value, str)
    if known and value in rule.values:
        return
    if rule.code is None:
        raise InvalidToken("claim_refused", rule.path[0])
    raise InvalidToken(rule.code, rule.path[0])


def _renamed(members: Mapping[str, object], profile: ProviderProfile) -> Mapping[str, object]:
    client = next((members[claim] for claim in profile.client_id_claims if claim in members), None)
    named = {
        "client_id": client,
        "jti": members.get(profile.jti_claim),
        "scope": _scope(members, profile.scope_claim),
    }
    if profile.audience_claim == "client_id":
        named["aud"] = client
    if profile.roles_path:
        named["roles"] = _at(members, profile.roles_path)
    kept = {name: value for name, value in members.items() if name not in named}
    return kept | {name: value for name, value in named.items() if value is not None}


def _scope(members: Mapping[str, object], claim: str) -> object:
    value = members.get(claim)
    if not isinstance(value, list):
        return value
    if not all(isinstance(entry, str) and _SCOPE_TOKEN.fullmatch(entry) for entry in value):
        raise InvalidToken("invalid_claim", claim)
    return " ".join(value)


def _at(members: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = members
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
