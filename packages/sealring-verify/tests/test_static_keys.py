import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sealring_verify import InvalidToken, Verifier
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, SecretKey, generate_private_key, make_secret_key
from sealring_verify.jose.jws import sign_compact
from sealring_verify.provider_profile import ProviderProfile
from sealring_verify.static_keys import read_static_keys

ISSUER = "https://id.example.com"
CLAIMS = {"iss": ISSUER, "sub": "u1", "aud": "orders", "exp": 1600, "iat": 1000, "jti": "j", "client_id": "c"}
SECRET, NEXT_SECRET = b"another issuer's secret, 32 octets", b"and the one that follows it there."


def pem(key: PrivateKey) -> str:
    return key.material.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def outcome(key: PrivateKey | SecretKey, header: dict[str, object] | None = None, **options: Any) -> str:  # noqa: ANN401 - passed on as they come
    verifier = Verifier(ISSUER, "orders", clock=lambda: 1000, **options)
    members = {"alg": key.alg, "typ": "at+jwt", **(header or {})}
    token = sign_compact(json.dumps(CLAIMS).encode(), key=key, header=base64url.encode(json.dumps(members).encode()))
    try:
        return verifier.verify(token).sub
    except InvalidToken as refusal:
        return refusal.code


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256"])
def test_a_public_key_in_pem_verifies_whatever_id_a_token_names(alg: str, tmp_path: Path) -> None:
    key, stranger = generate_private_key(alg), generate_private_key(alg)
    file = tmp_path / "key.pem"
    file.write_text(pem(key))
    for source in (pem(key), pem(key).encode(), file, "# the key of our issuer\n" + pem(key)):
        assert outcome(key, jwks=source) == outcome(key, {"kid": "2026-11"}, jwks=source) == "u1"
        assert outcome(stranger, {"kid": "2026-11"}, jwks=source) == "bad_signature"


def test_an_rsa_key_in_pem_is_for_ps256_where_that_is_asked_for() -> None:
    key = generate_private_key("PS256")
    assert outcome(key, jwks=pem(key)) == "unknown_key"
    assert outcome(key, jwks=pem(key), algorithms=["PS256"]) == "u1"
    assert outcome(key, jwks=pem(key), algorithms=["PS256", "RS256"]) == "unknown_key"
    profile = ProviderProfile(name="signs by PS256", algorithms=frozenset({"PS256"}))
    assert outcome(key, jwks=pem(key), profile=profile) == "u1"


def test_another_issuers_tokens_may_name_ed25519_by_its_older_name_where_that_is_listed() -> None:
    key, older = generate_private_key("Ed25519"), {"alg": "EdDSA"}
    profile = ProviderProfile(name="any")
    assert outcome(key, older, jwks=pem(key), profile=profile) == "algorithm_not_allowed"
    assert outcome(key, older, jwks=pem(key), profile=profile, algorithms=["EdDSA"]) == "u1"
    listing = ProviderProfile(name="older", algorithms=frozenset({"EdDSA"}))
    assert outcome(key, older, jwks=pem(key), profile=listing) == "u1"
    narrow = ProviderProfile(name="narrow", algorithms=frozenset({"ES256"}))
    with pytest.raises(ValueError, match=r"some of: ES256$"):
        outcome(key, jwks=pem(key), profile=narrow, algorithms=["EdDSA"])


def test_two_keys_of_one_algorithm_are_both_tried_and_three_need_ids() -> None:
    old, new, stranger = (generate_private_key("ES256") for _ in range(3))
    both = pem(old) + pem(new)
    assert outcome(old, jwks=both) == outcome(new, jwks=both) == "u1"
    assert outcome(stranger, jwks=both) == "bad_signature"
    with pytest.raises(ValueError, match="more need ids"):
        read_static_keys(both + pem(stranger), algorithms=frozenset())


def test_a_key_set_may_lie_in_a_file(tmp_path: Path) -> None:
    key = generate_private_key("ES256", kid="k1")
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [key.public_jwk()]}))
    assert outcome(key, {"kid": "k1"}, jwks=file) == "u1"
    assert outcome(key, {"kid": "k2"}, jwks=file) == "unknown_key"
    with pytest.raises(ValueError, match=r"missing\.json cannot be read: No such file"):
        Verifier(ISSUER, "orders", jwks=tmp_path / "missing.json")
    with pytest.raises(ValueError, match="cannot be read"):
        Verifier(ISSUER, "orders", jwks=tmp_path)
    file.write_bytes(b" " * (256 * 1024 + 1))
    with pytest.raises(ValueError, match="256 KiB"):
        Verifier(ISSUER, "orders", jwks=file)


def _private(key: PrivateKey) -> str:
    return key.material.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (_private(generate_private_key("ES256")), "private key"),
        (pem(generate_private_key("ES256")) + _private(generate_private_key("ES256")), "private key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "BEGIN PUBLIC KEY"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"),
        ("-----BEGIN PUBLIC KEY-----\n", "BEGIN PUBLIC KEY"),
        (_public(ec.generate_private_key(ec.SECP384R1())), "kind that is not used"),
        (_public(rsa.generate_private_key(65537, 1024)), "1024 bits"),  # noqa: S505 - too short is the point
    ],
)
def test_any_other_pem_fails_at_construction_without_being_repeated(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        Verifier(ISSUER, "orders", jwks=text)
    assert not text.splitlines()[1:2] or text.splitlines()[1] not in str(refused.value)


@pytest.mark.parametrize("source", [7, ["keys"], object(), 1.5])
def test_what_is_no_source_of_keys_fails_in_a_sentence(source: Any) -> None:  # noqa: ANN401 - wrong ones are the point
    with pytest.raises(ValueError, match="jwks must be a JWK set"):
        Verifier(ISSUER, "orders", jwks=source)


def test_a_public_key_in_pem_is_no_shared_secret() -> None:
    key = generate_private_key("RS256")
    for octets in (pem(key).encode(), pem(key).strip().encode()):
        assert outcome(make_secret_key(octets, kid="x"), jwks=pem(key)) == "algorithm_not_allowed"
    with pytest.raises(ValueError, match="stand alone"):
        Verifier(ISSUER, "orders", jwks=pem(key), symmetric_secrets=[SECRET])


def test_secrets_of_another_issuer_are_tried_without_an_id() -> None:
    for secret in (SECRET, NEXT_SECRET):
        key = make_secret_key(secret, kid="x")
        for header in (None, {"kid": "whatever"}):
            assert outcome(key, header, symmetric_secrets=[SECRET, NEXT_SECRET]) == "u1"
    stranger = make_secret_key(bytes(32), kid="x")
    assert outcome(stranger, symmetric_secrets=[SECRET, NEXT_SECRET]) == "bad_signature"
    assert outcome(generate_private_key("ES256"), symmetric_secrets=[SECRET]) == "algorithm_not_allowed"
    assert outcome(make_secret_key(SECRET, kid="x"), {"alg": "HS512"}, symmetric_secrets=[SECRET]) == (
        "algorithm_not_allowed"
    )


@pytest.mark.parametrize(
    ("secrets", "sentence"),
    [
        ([b"x" * 31], "32 octets"),
        ([b""], "32 octets"),
        (SECRET, "list of one"),
        ([SECRET] * 3, "list of one"),
        ([SECRET, "slh_" + "A" * 43], "not both"),
        ([None], "not both"),
        ([7], "not both"),
    ],
)
def test_a_secret_that_is_too_short_fails_at_construction(secrets: Any, sentence: str) -> None:  # noqa: ANN401 - wrong ones are the point
    with pytest.raises(ValueError, match=sentence) as refused:
        Verifier(ISSUER, "orders", symmetric_secrets=secrets)
    assert SECRET.decode() not in str(refused.value)


def test_the_older_name_of_ed25519_is_taken_where_it_is_listed() -> None:
    key = generate_private_key("Ed25519", kid="k1")
    for alg in ("Ed25519", "EdDSA"):
        jwks = {"keys": [{**key.public_jwk(), "alg": alg}]}
        older = {"alg": "EdDSA", "kid": "k1"}
        assert outcome(key, {"kid": "k1"}, jwks=jwks) == "u1"
        assert outcome(key, older, jwks=jwks) == "algorithm_not_allowed"
        assert outcome(key, older, jwks=jwks, algorithms=["EdDSA"]) == "u1"
        assert outcome(key, {"kid": "k1"}, jwks=jwks, algorithms=["EdDSA"]) == "algorithm_not_allowed"
        assert outcome(key, older, jwks=jwks, algorithms=["EdDSA", "Ed25519"]) == "u1"
