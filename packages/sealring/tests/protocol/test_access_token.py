import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.access_token import (
    PERSONAL_CLAIMS,
    REGISTERED_CLAIMS,
    AccessTokenTooLarge,
    SessionFacts,
    access_token_payload,
    client_token_payload,
    seal_holds,
    seal_payload,
)
from sealring.protocol.api import Api
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.opaque_token import opaque_token_octets
from sealring.protocol.user import Subject
from sealring_verify.claims import parse_access_token
from sealring_verify.jose.base64url import encode

NOW = Instant(1_700_000_000_999)
API = Api(identifier="orders", scopes={"orders:read": "Read"}, access_token_lifetime=Seconds(600), created_at=1)
ADA = Subject(sub="u-1", roles=("clerk", "buyer"), claims={"department": "sales", "floor": 3}, epoch=5)
SESSION = SessionFacts(
    sid="sid-1", client_id="shop", client_epoch=7, auth_time=Instant(1_699_999_999_001), amr=("pwd",), claims={}
)
SCOPE = frozenset({"orders:write", "orders:read"})


def payload(*, api: Api = API, subject: Subject = ADA, session: SessionFacts = SESSION) -> bytes | AccessTokenTooLarge:
    return access_token_payload(
        issuer="https://id.example", api=api, subject=subject, session=session, scope=SCOPE, jti="j-1", now=NOW
    )


def claims(*, api: Api = API, subject: Subject = ADA, session: SessionFacts = SESSION) -> dict[str, object]:
    octets = payload(api=api, subject=subject, session=session)
    assert isinstance(octets, bytes)
    read: dict[str, object] = json.loads(octets)
    return read


def test_a_token_says_what_rfc_9068_wants_and_nothing_of_the_person_besides() -> None:
    assert claims() == {
        "iss": "https://id.example",
        "sub": "u-1",
        "aud": "orders",
        "exp": 1_700_000_600,
        "iat": 1_700_000_000,
        "jti": "j-1",
        "client_id": "shop",
        "scope": "orders:read orders:write",
        "sid": "sid-1",
        "sub_epoch": 5,
        "client_epoch": 7,
        "auth_time": 1_699_999_999,
        "amr": ["pwd"],
    }


def test_what_we_write_our_verifier_reads() -> None:
    octets = payload(api=replace(API, claims=("roles", "department")))
    assert isinstance(octets, bytes)
    token = parse_access_token(octets)
    assert (token.sub, token.aud, token.scope, token.roles) == ("u-1", ("orders",), SCOPE, ("clerk", "buyer"))
    assert (token.sid, token.sub_epoch, token.client_epoch) == ("sid-1", 5, 7)
    assert dict(token.claims) == {"department": "sales"}


def test_claims_reach_a_token_by_the_apis_configuration_alone() -> None:
    assert claims(api=replace(API, claims=("department", "nobody has this"))).keys() - claims().keys() == {"department"}
    assert claims(api=replace(API, claims=("roles",)))["roles"] == ["clerk", "buyer"]


def test_a_claim_of_the_session_goes_before_the_users_own() -> None:
    session = replace(SESSION, claims={"department": "night shift"})
    assert claims(api=replace(API, claims=("department",)), session=session)["department"] == "night shift"
    assert "department" not in claims(session=session)


def test_roles_come_from_the_user_and_never_from_a_claim() -> None:
    forged = replace(SESSION, claims={"roles": ["administrator"]})
    subject = replace(ADA, claims={"roles": ["administrator"]})
    assert claims(api=replace(API, claims=("roles",)), session=forged, subject=subject)["roles"] == ["clerk", "buyer"]


def test_every_claim_that_a_token_sets_itself_is_registered() -> None:
    assert claims(api=replace(API, claims=("roles",))).keys() <= REGISTERED_CLAIMS
    assert not REGISTERED_CLAIMS & PERSONAL_CLAIMS


@pytest.mark.parametrize("name", ["email", "phone_number", "birthdate", "address", "name"])
def test_personal_data_is_known_by_name(name: str) -> None:
    assert name in PERSONAL_CLAIMS


@given(size=st.integers(0, 3000), byte_budget=st.integers(512, 4096))
def test_no_token_is_longer_than_the_apis_byte_budget(size: int, byte_budget: int) -> None:
    api = replace(API, byte_budget=byte_budget, claims=("blob",))
    octets = payload(api=api, subject=replace(ADA, claims={"blob": "x" * size}))
    if isinstance(octets, AccessTokenTooLarge):
        assert octets.octets > octets.byte_budget == byte_budget
    else:
        header = json.dumps({"alg": "ES256", "kid": "k" * 43, "typ": "at+jwt"}, separators=(",", ":")).encode()
        token = b".".join([encode(header), encode(octets), encode(bytes(64))])
        assert len(token) <= byte_budget


@given(size=st.integers(0, 600))
def test_the_seal_is_in_the_byte_budget(size: int) -> None:
    api = replace(API, byte_budget=1024, claims=("blob",), access_token_signing_alg="HS256")
    octets = payload(api=api, subject=replace(ADA, claims={"blob": "x" * size}))
    if not isinstance(octets, AccessTokenTooLarge):
        header = json.dumps({"alg": "HS256", "kid": "hs-" + "k" * 22, "typ": "at+jwt"}, separators=(",", ":")).encode()
        token = b".".join([encode(header), encode(seal_payload(octets, seal_key=SEAL_KEY)), encode(bytes(32))])
        assert len(token) <= 1024


def test_a_token_that_is_too_large_says_by_how_much() -> None:
    outcome = payload(
        api=replace(API, byte_budget=512, claims=("blob",)), subject=replace(ADA, claims={"blob": "x" * 999})
    )
    assert isinstance(outcome, AccessTokenTooLarge)
    assert 1800 < outcome.octets < 2200


def test_a_clients_own_token_says_what_rfc_9068_wants_and_names_no_session() -> None:
    octets = client_token_payload(
        issuer="https://id.example",
        api=replace(API, claims=("roles", "department")),
        client_id="robot",
        client_epoch=7,
        scope=SCOPE,
        jti="j-1",
        now=NOW,
    )
    assert isinstance(octets, bytes)
    assert json.loads(octets) == {
        "iss": "https://id.example",
        "sub": "robot",
        "aud": "orders",
        "exp": 1_700_000_600,
        "iat": 1_700_000_000,
        "jti": "j-1",
        "client_id": "robot",
        "scope": "orders:read orders:write",
        "client_epoch": 7,
    }
    assert parse_access_token(octets).sid is None


def test_a_clients_own_token_keeps_to_the_budget_too() -> None:
    tight = replace(API, byte_budget=200)
    outcome = client_token_payload(
        issuer="https://id.example", api=tight, client_id="robot", client_epoch=7, scope=SCOPE, jti="j-1", now=NOW
    )
    assert isinstance(outcome, AccessTokenTooLarge)


SEAL_KEY = bytes(range(32))


@given(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.lists(st.text(max_size=4)), min_size=1))
def test_a_sealed_payload_is_the_same_claims_and_one_more_and_its_seal_holds(members: dict[str, object]) -> None:
    sealed = seal_payload(json.dumps(members).encode(), seal_key=SEAL_KEY)
    read = json.loads(sealed)
    assert len(read.pop("seal")) == 22
    assert read == {name: value for name, value in members.items() if name != "seal"}
    assert seal_holds(sealed, seal_key=SEAL_KEY)
    assert not seal_holds(sealed, seal_key=bytes(32))


@given(st.data())
def test_no_other_octets_pass_under_a_seal(data: st.DataObject) -> None:
    octets = payload()
    assert isinstance(octets, bytes)
    sealed = seal_payload(octets, seal_key=SEAL_KEY)
    place = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.binary(max_size=3))
    changed = sealed[:place] + other + sealed[place + 1 :]
    assert seal_holds(changed, seal_key=SEAL_KEY) == (changed == sealed)


@pytest.mark.parametrize("octets", [b"", b"{}", b'{"seal":"x"}', b'{"a":1,"seal":""}', b'{"a":1}', b"\xff"])
def test_what_was_never_sealed_has_no_seal(octets: bytes) -> None:
    assert not seal_holds(octets, seal_key=SEAL_KEY)


def test_no_custom_claim_can_be_the_seal() -> None:
    assert "seal" in REGISTERED_CLAIMS


def test_the_budget_of_an_opaque_token_counts_what_is_sent() -> None:
    api = replace(API, access_token_format="opaque")
    octets = payload(api=api)
    assert isinstance(octets, bytes)
    exact = opaque_token_octets(len(octets))
    assert payload(api=replace(api, byte_budget=exact)) == octets
    outcome = payload(api=replace(api, byte_budget=exact - 1))
    assert isinstance(outcome, AccessTokenTooLarge)
    assert outcome.octets == exact
