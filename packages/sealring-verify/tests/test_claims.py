import json
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify import claims as claims_module
from sealring_verify.claims import AccessToken, parse_access_token, parse_claims_set, read_claims
from sealring_verify.errors import InvalidToken

MINIMAL = {"iss": "i", "sub": "s", "aud": "a", "exp": 20, "iat": 10, "jti": "j", "client_id": "c"}


def _parse(**changes: object) -> AccessToken:
    members = {name: value for name, value in {**MINIMAL, **changes}.items() if value is not ...}
    return parse_access_token(json.dumps(members).encode())


def _refusal(**changes: object) -> tuple[str, str | None]:
    with pytest.raises(InvalidToken) as refused:
        _parse(**changes)
    return refused.value.code, refused.value.claim


def test_the_required_claims_make_an_access_token_without_any_right() -> None:
    token = _parse()
    assert (token.iss, token.sub, token.aud, token.jti, token.client_id) == ("i", "s", ("a",), "j", "c")
    assert (token.exp, token.iat, token.nbf, token.auth_time) == (20, 10, None, None)
    assert token.scope == frozenset()
    assert token.scopes == token.amr == token.roles == ()
    assert (token.sid, token.sub_epoch, token.client_epoch, token.acr) == (None, None, None, None)
    assert dict(token.claims) == {}


def test_every_known_claim_has_its_field_and_the_rest_is_kept() -> None:
    token = _parse(
        aud=["a", "b"],
        scope="w r r",
        sid="s1",
        sub_epoch=3,
        client_epoch=0,
        auth_time=5,
        nbf=9,
        acr="1",
        amr=["pwd", "otp"],
        roles=["admin"],
        act={"sub": "x"},
        claims=1,
    )
    assert token.aud == ("a", "b")
    assert token.scope == {"r", "w"}
    assert token.scopes == ("r", "w")
    assert (token.sid, token.sub_epoch, token.client_epoch, token.auth_time, token.nbf) == ("s1", 3, 0, 5, 9)
    assert (token.acr, token.amr, token.roles) == ("1", ("pwd", "otp"), ("admin",))
    assert token.claims == {"act": {"sub": "x"}, "claims": 1}


def test_nothing_of_a_token_can_be_changed() -> None:
    token = _parse(tenant={"ids": [1, 2]})
    tenant = token.claims["tenant"]
    with pytest.raises(AttributeError):
        token.sub = "eve"
    with pytest.raises(TypeError):
        token.claims["sub"] = "eve"
    with pytest.raises(TypeError):
        tenant["ids"] = []
    assert tenant["ids"] == (1, 2)


@pytest.mark.parametrize("claim", sorted(MINIMAL))
def test_a_required_claim_that_is_missing_is_named(claim: str) -> None:
    assert _refusal(**{claim: ...}) == ("missing_claim", claim)


@pytest.mark.parametrize("claim", ["iss", "sub", "jti", "client_id", "sid", "acr"])
@pytest.mark.parametrize("value", ["", None, 1, True, [], ["s"], {}])
def test_a_text_is_a_string_that_is_not_empty(claim: str, value: object) -> None:
    assert _refusal(**{claim: value}) == ("invalid_claim", claim)


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "auth_time", "sub_epoch", "client_epoch"])
@pytest.mark.parametrize(
    "value", ["20", 20.0, 20.5, True, None, -1, 2**70, 100_000_000_000, 1_795_473_435_000, [], {}, "1e3"]
)
def test_a_date_is_a_whole_number_of_seconds_within_reason(claim: str, value: object) -> None:
    assert _refusal(**{claim: value}) == ("invalid_claim", claim)


@pytest.mark.parametrize("value", ["", [], [""], ["a", ""], ["a", 1], None, 1, {"a": 1}, [["a"]]])
def test_an_audience_is_a_name_or_a_list_of_names(value: object) -> None:
    assert _refusal(aud=value) == ("invalid_claim", "aud")


@pytest.mark.parametrize("value", [["r"], None, 1, " r", "r ", "r  w", "r\tw", 'r"', "r\\", "ré", "r\n", {}])
def test_a_scope_is_a_string_of_scope_tokens(value: object) -> None:
    assert _refusal(scope=value) == ("invalid_claim", "scope")


@pytest.mark.parametrize("claim", ["amr", "roles"])
@pytest.mark.parametrize("value", ["admin", None, [1], [None], {"admin": True}])
def test_a_list_of_texts_is_nothing_else(claim: str, value: object) -> None:
    assert _refusal(**{claim: value}) == ("invalid_claim", claim)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "token_malformed"),
        (b"[]", "token_malformed"),
        (b'"x"', "token_malformed"),
        (b'{"sub":"\xff"}', "token_malformed"),
        (b'{"unread":"\xff"}', "token_malformed"),
        (b'{"sub":"\\ud800"}', "token_malformed"),
        (b'{"exp":NaN}', "token_malformed"),
        (b'{"exp":1e400}', "token_malformed"),
        (b"\xef\xbb\xbf{}", "token_malformed"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "token_malformed"),
        (b'{"sub":"ada","sub":"admin"}', "duplicate_member"),
        (b'{"sub":"ada","s\\u0075b":"admin"}', "duplicate_member"),
        (b'{"a":[{"b":1,"b":1}]}', "duplicate_member"),
    ],
)
def test_a_payload_that_could_be_read_in_two_ways_is_refused(payload: bytes, code: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        parse_access_token(payload)
    assert refused.value.code == code


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*AccessToken.__struct_fields__, "other"]), _values))
def test_any_claims_give_a_token_or_a_refusal(changes: dict[str, object]) -> None:
    try:
        token = _parse(**changes)
    except InvalidToken:
        return
    assert token.sub
    assert isinstance(token.exp, int)


USUAL = {
    "iss": "https://auth.example",
    "sub": "u1",
    "aud": "orders",
    "exp": 1_700_000_600,
    "iat": 1_700_000_000,
    "jti": "j",
    "client_id": "app",
    "scope": "orders:read",
    "sid": "s",
    "sub_epoch": 3,
    "client_epoch": 1,
    "amr": ["pwd"],
    "auth_time": 1_700_000_000,
    "acr": "1",
    "roles": ["clerk"],
}


def written(claims: dict[str, object]) -> bytes:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def outcome(read: Callable[[bytes], AccessToken], payload: bytes) -> object:
    try:
        return read(payload)
    except InvalidToken as refusal:
        return refusal.code, refusal.claim


def test_a_usual_token_is_read_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with_care = read_claims(parse_claims_set(written(USUAL)))
    monkeypatch.delattr(claims_module, "read_claims")
    assert parse_access_token(written(USUAL)) == with_care
    assert parse_access_token(written(USUAL)) == with_care  # its scope is known by now


def test_scopes_without_end_are_not_kept_for_ever() -> None:
    for number in range(1000):
        parse_access_token(written(USUAL | {"scope": f"orders:{number}"}))
    parse_access_token(written(USUAL | {"scope": "x" * 600}))
    assert len(claims_module._scopes_seen) <= 256
    assert max(map(len, claims_module._scopes_seen)) <= 512


@given(
    changes=st.dictionaries(
        st.sampled_from([*USUAL, "cnf", "x"]),
        st.none()
        | st.booleans()
        | st.integers(-1, 10**12)
        | st.floats(allow_nan=False)
        | st.text(max_size=5)
        | st.lists(st.text(max_size=3), max_size=2)
        | st.sampled_from(["a b", "a  b", " a", 10**400]),
        max_size=3,
    ),
    missing=st.sets(st.sampled_from([*USUAL]), max_size=2),
    doubled=st.none() | st.sampled_from([*USUAL]),
    shuffled=st.randoms(),
)
def test_what_is_read_in_one_go_reads_as_it_does_with_care(
    *, changes: dict[str, object], missing: set[str], doubled: str | None, shuffled: Random
) -> None:
    claims = {name: value for name, value in (USUAL | changes).items() if name not in missing}
    if shuffled.random() < 0.3:
        items = list(claims.items())
        shuffled.shuffle(items)
        claims = dict(items)
    payload = written(claims)
    if doubled is not None:
        payload = payload[:-1] + b"," + written({doubled: claims.get(doubled, "x")})[1:]
    careful = outcome(lambda octets: read_claims(parse_claims_set(octets)), payload)
    assert outcome(parse_access_token, payload) == careful
