import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InsufficientScope, TokenRefused, Verifier
from sealring_verify.introspection import IntrospectionClient
from sealring_verify.several_issuers import SeveralIssuers

if TYPE_CHECKING:
    from conftest import LocalIssuer

OPAQUE = "slo_" + "A" * 80


@pytest.fixture
def two(issuer: "LocalIssuer") -> Iterator[tuple["LocalIssuer", "LocalIssuer"]]:
    """Two issuers whose keys have the same id."""
    other = type(issuer)()
    yield issuer, other
    other.stop()


async def outcome(verifier: SeveralIssuers, token: Any, **demands: Any) -> str:  # noqa: ANN401 - passed on
    """Verify both ways; the outcome must be one."""
    told = []
    for awaits in (False, True):
        try:
            verified = await verifier.verify_async(token, **demands) if awaits else verifier.verify(token, **demands)
            told.append(verified.iss)
        except TokenRefused as refusal:
            told.append(refusal.code)
    assert told[0] == told[1]
    return told[0]


async def test_the_tokens_of_each_issuer_pass(two: tuple["LocalIssuer", "LocalIssuer"]) -> None:
    old, new = two
    verifier = Verifier.any_of(Verifier(old.url, "orders"), Verifier(new.url, "orders-api"))
    assert await outcome(verifier, old.token()) == old.url
    assert await outcome(verifier, new.token(aud="orders-api")) == new.url
    assert verifier.issuers == {old.url, new.url}
    assert verifier.authorization_servers == (old.url, new.url)


async def test_no_key_of_one_issuer_is_tried_on_a_token_of_another(two: tuple["LocalIssuer", "LocalIssuer"]) -> None:
    old, new = two
    verifier = Verifier.any_of(Verifier(old.url, "orders"), Verifier(new.url, "orders"))
    assert await outcome(verifier, old.token(iss=new.url)) == "bad_signature"
    assert await outcome(verifier, new.token(iss=old.url)) == "bad_signature"
    assert await outcome(verifier, old.token(iss="https://evil.example")) == "wrong_issuer"
    old.rotate_key("only-old-has-it")
    assert await outcome(verifier, old.token(iss=new.url)) == "unknown_key"


async def test_each_keeps_its_own_policy_and_refuses_as_it_does_alone(
    two: tuple["LocalIssuer", "LocalIssuer"],
) -> None:
    old, new = two
    verifier = Verifier.any_of(Verifier(old.url, "orders"), Verifier(new.url, "orders-api"))
    for local, changes, code in (
        (new, {"aud": "orders"}, "wrong_audience"),
        (old, {"aud": "orders-api"}, "wrong_audience"),
        (old, {"exp": 1000}, "token_expired"),
        (new, {"aud": "orders-api", "typ": "JWT"}, "wrong_type"),
    ):
        assert await outcome(verifier, local.token(**changes)) == code
    assert await outcome(verifier, old.token(scope="a"), scopes={"b"}) == "insufficient_scope"
    with pytest.raises(InsufficientScope):
        verifier.verify(old.token(scope="a"), scopes={"b"})


async def test_one_issuer_that_is_down_leaves_the_others_tokens_alone(
    two: tuple["LocalIssuer", "LocalIssuer"],
) -> None:
    old, new = two
    verifier = Verifier.any_of(Verifier(old.url, "orders"), Verifier(new.url, "orders"))
    old.faults[old.metadata_path] = lambda: (500, {}, b"")
    assert await outcome(verifier, old.token()) == "keys_unavailable"
    assert await outcome(verifier, new.token()) == new.url
    status = verifier.status()
    assert (status.issuer, status.freshness) == (old.url, "empty")
    assert [(one.issuer, one.freshness) for one in status.others] == [(new.url, "fresh")]


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c", "\ud800", "é.é.é", "." * 20_000, "x" * 20_000, OPAQUE])
async def test_what_claims_no_issuer_is_refused_as_by_one_verifier(
    two: tuple["LocalIssuer", "LocalIssuer"], token: str
) -> None:
    old, new = two
    verifier = Verifier.any_of(Verifier(old.url, "orders"), Verifier(new.url, "orders"))
    assert await outcome(verifier, token) in {"token_malformed", "token_too_large"}
    header, payload, signature = old.token().split(".")
    assert await outcome(verifier, f"{header}.{payload}=.{signature}") in {"token_malformed", "bad_signature"}


async def test_an_api_moves_from_signed_to_opaque_tokens_of_one_issuer(issuer: "LocalIssuer") -> None:
    answer = {**issuer.claims(aud="letters", sid="s1"), "active": True}
    issuer.faults["/introspect"] = lambda: (200, {}, json.dumps(answer).encode())
    opaque = Verifier(issuer.url, "letters", api_key="sla_k", opaque=True, feed="off")
    verifier = Verifier.any_of(Verifier(issuer.url, "orders"), opaque)
    assert await outcome(verifier, issuer.token()) == issuer.url
    assert issuer.requests.count("/introspect") == 0
    assert verifier.verify(OPAQUE).sid == "s1"
    assert verifier.authorization_servers == (issuer.url,)
    assert await outcome(verifier, "garbage") == "token_malformed"
    assert (verifier.status().introspects, verifier.status().others[0].introspects) == (False, True)


async def test_signed_looking_tokens_go_to_the_issuer_that_is_asked_about_each(
    two: tuple["LocalIssuer", "LocalIssuer"],
) -> None:
    old, new = two
    answer = {**new.claims(), "active": True, "token_type": "Bearer"}
    new.faults["/introspect"] = lambda: (200, {}, json.dumps(answer).encode())
    client = IntrospectionClient(client_id="orders", client_secret="s")
    asking = Verifier(new.url, "orders", opaque=True, introspection=client)
    verifier = Verifier.any_of(Verifier(old.url, "orders"), asking)
    assert await outcome(verifier, old.token()) == old.url
    assert await outcome(verifier, new.token(sub=...)) == new.url
    assert await outcome(verifier, new.token(iss="https://evil.example")) == "wrong_issuer"
    assert new.requests.count("/introspect") == 1


async def test_encrypted_tokens_go_to_whoever_has_the_key(issuer: "LocalIssuer") -> None:
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("X25519", {"use": "enc", "kid": "e1"}).as_dict(private=True)
    encrypted = Verifier(issuer.url, "diary", decryption_jwks={"keys": [key]})
    verifier = Verifier.any_of(Verifier(issuer.url, "orders"), encrypted)
    assert await outcome(verifier, issuer.token()) == issuer.url
    assert await outcome(verifier, "a.b.c.d.e") != "token_encrypted"
    plain = Verifier.any_of(Verifier(issuer.url, "orders"), Verifier("https://id.example.com", "orders"))
    assert await outcome(plain, "a.b.c.d.e") == "token_encrypted"


def test_a_refusal_before_any_is_asked_is_told_to_each(two: tuple["LocalIssuer", "LocalIssuer"]) -> None:
    counted: list[str] = []

    class Counting(Verifier):
        def count_refusal(self, refusal: TokenRefused, *, client_address: str | None = None) -> None:
            counted.append(f"{refusal.code} {client_address}")

    old, new = two
    verifier = Verifier.any_of(Counting(old.url, "orders"), Counting(new.url, "orders"))
    with pytest.raises(TokenRefused):
        verifier.verify(old.token(iss="https://evil.example"), client_address="203.0.113.9")
    assert counted == ["wrong_issuer 203.0.113.9"] * 2


def test_it_must_be_clear_who_a_token_is_meant_for() -> None:
    here, there = "https://id.example.com", "https://id.example.org"
    with pytest.raises(ValueError, match="two verifiers or more"):
        SeveralIssuers([Verifier(here, "orders")])
    with pytest.raises(ValueError, match=r"one verifier for the signed tokens of https://id\.example\.com"):
        Verifier.any_of(Verifier(here, "orders"), Verifier(here, "bills"))
    opaque = [Verifier(place, "orders", api_key="sla_k", opaque=True) for place in (here, there)]
    with pytest.raises(ValueError, match="one verifier for opaque tokens"):
        Verifier.any_of(*opaque)
    assert len(Verifier.any_of(Verifier(here, "orders"), Verifier(there, "orders"), opaque[0]).verifiers) == 3


async def test_what_is_no_text_or_too_long_is_refused_by_whoever_gets_it(issuer: "LocalIssuer") -> None:
    asking = IntrospectionClient(client_id="orders", client_secret="k", endpoint=f"{issuer.url}/introspect")
    opaque = Verifier("https://other.example", "orders", opaque=True, introspection=asking)
    for second in (Verifier("https://other.example", "orders"), opaque):
        verifier = Verifier.any_of(Verifier(issuer.url, "orders"), second)
        for token in (None, b"a.b.c", 7, ["a"], {"a": 1}):
            assert await outcome(verifier, token) == "token_malformed"
        for token in ("a" * 20_000, "a." * 20_000, "a" * 20_000 + ".b.c.d.e"):
            assert await outcome(verifier, token) == "token_too_large"
    assert "/introspect" not in issuer.requests
