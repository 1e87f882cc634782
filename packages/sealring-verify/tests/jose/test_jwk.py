import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sealring_verify.jose import base64url, jwk

# RFC 7517 appendix A.1
RFC_7517_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
# RFC 8037 appendix A.2
RFC_8037_OKP = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def test_thumbprints_are_those_of_rfc_7638_and_rfc_8037() -> None:
    rfc_7638 = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
        "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
        "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
        "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert jwk.thumbprint(rfc_7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert jwk.thumbprint({**RFC_8037_OKP, "d": "secret"}) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "members", [{}, {"kty": "oct", "k": "x"}, {"kty": ["EC"]}, {"kty": "EC", "crv": "P-256", "x": 1}]
)
def test_what_is_no_public_key_has_no_thumbprint(members: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"thumbprint|missing"):
        jwk.thumbprint(members)


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256", "PS256"])
def test_a_key_survives_export_and_is_named_by_its_thumbprint(alg: str) -> None:
    key = jwk.generate_private_key(alg)
    again = jwk.import_private_key(jwk.export_private_key(key), kid=key.kid, alg=alg)
    assert again.public_jwk() == key.public_jwk()
    assert key.kid == jwk.thumbprint(key.public_jwk())
    assert jwk.generate_private_key(alg, kid="mine").kid == "mine"
    public = jwk.parse_jwk(key.public_jwk())
    assert (public.kid, public.alg) == (key.kid, alg)
    assert public.verify(b"m", again.sign(b"m"))


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256", "PS256"])
def test_a_public_jwk_has_no_private_member_and_a_repr_no_secret(alg: str) -> None:
    key = jwk.generate_private_key(alg, kid="k1")
    public = key.public_jwk()
    assert set(public) <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
    assert public["use"] == "sig"
    assert repr(key) == f"PrivateKey(kid='k1', alg='{alg}')"
    assert str(key) == repr(key)


def test_coordinates_are_written_in_full_size() -> None:
    for scalar in range(1, 400):
        # Small multiples of the generator have, now and then, a coordinate with a leading zero octet.
        members = jwk.public_jwk(ec.derive_private_key(scalar, ec.SECP256R1()).public_key(), kid="k", alg="ES256")
        assert len(members["x"]) == len(members["y"]) == 43
        assert jwk.parse_jwk(members).alg == "ES256"


def test_a_private_key_of_another_kind_is_not_imported() -> None:
    def der(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    p384 = der(ec.generate_private_key(ec.SECP384R1()))
    p256 = der(ec.generate_private_key(ec.SECP256R1()))
    for octets, alg in ((p384, "ES256"), (p256, "Ed25519"), (p256, "none"), (b"garbage", "ES256"), (b"", "ES256")):
        with pytest.raises(ValueError, match=r"."):
            jwk.import_private_key(octets, kid="k", alg=alg)


def test_an_encrypted_private_key_is_not_imported() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    with pytest.raises(TypeError):
        jwk.import_private_key(sealed, kid="k", alg="ES256")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kty": "oct", "k": "AAAA"}, "kty"),
        ({"kty": "future"}, "kty"),
        ({"kty": "RSA"}, "kty"),
        ({"kty": None}, "kty"),
        ({"crv": "P-384"}, "crv"),
        ({"crv": "secp256k1"}, "crv"),
        ({"crv": ["P-256"]}, "crv"),
        ({"alg": "ES384"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": None}, "alg"),
        ({"use": "enc"}, "use"),
        ({"use": None}, "use"),
        ({"key_ops": []}, "key_ops"),
        ({"key_ops": ["sign"]}, "key_ops"),
        ({"key_ops": "verify"}, "key_ops"),
        ({"key_ops": None}, "key_ops"),
        ({"d": "AAAA"}, "private"),
        ({"x": 1}, "x is missing"),
        ({"x": "AAAA"}, "32 octets"),
        ({"x": "A" * 44}, "32 octets"),
        ({"x": RFC_7517_EC["x"] + "="}, "."),
        ({"x": RFC_7517_EC["y"]}, "."),  # off the curve
        ({"x": "A" * 43, "y": "A" * 43}, "."),
        ({"kid": 7}, "kid"),
        ({"kid": None}, "kid"),
        ({"kid": "x" * 257}, "kid"),
    ],
)
def test_an_unusable_key_is_refused_in_words(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        jwk.parse_jwk({**RFC_7517_EC, **change})


def test_restrictions_that_allow_verifying_are_honoured() -> None:
    members = {**RFC_7517_EC, "alg": "ES256", "use": "sig", "key_ops": ["verify", "sign"], "ext": True, "x5c": ["AAAA"]}
    assert jwk.parse_jwk(members).kid is None
    assert jwk.parse_jwk(RFC_8037_OKP).alg == "Ed25519"
    # RFC 9864: the polymorphic name means what the curve says.
    assert jwk.parse_jwk({**RFC_8037_OKP, "alg": "EdDSA"}).alg == "Ed25519"
    with pytest.raises(ValueError, match="alg"):
        jwk.parse_jwk({**RFC_8037_OKP, "alg": "Ed448"})


def test_rfc_8037_signature_holds_under_its_key() -> None:
    key = jwk.parse_jwk(RFC_8037_OKP)
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    assert key.verify(message, base64url.decode(signature.encode()))


RSA = jwk.generate_private_key("RS256", kid="rsa").public_jwk()


def test_an_rsa_key_has_the_algorithm_that_it_names_and_rs256_where_it_names_none() -> None:
    assert jwk.parse_jwk(RSA).alg == "RS256"
    assert jwk.parse_jwk({**RSA, "alg": "PS256"}).alg == "PS256"
    assert jwk.parse_jwk({name: value for name, value in RSA.items() if name != "alg"}).alg == "RS256"
    assert RSA["e"] == "AQAB"
    assert jwk.thumbprint(RSA) == jwk.thumbprint({**RSA, "alg": "PS256"})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"alg": "RSA-OAEP"}, "alg"),
        ({"alg": "RS512"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": "ES256"}, "alg"),
        ({"alg": ["RS256"]}, "alg"),
        ({"crv": "P-256"}, "crv"),
        ({"n": base64url.encode(b"\xc1" * 128).decode()}, "1024 bits"),
        ({"n": ""}, "0 bits"),
        ({"e": "AA"}, "exponent"),
        ({"e": "AQ"}, "exponent"),
        ({"n": 7}, "n is missing"),
        ({"d": "AAAA"}, "private"),
        ({"p": "AAAA"}, "private"),
    ],
)
def test_an_unusable_rsa_key_is_refused_in_words(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        jwk.parse_jwk({**RSA, **change})


def test_a_short_private_rsa_key_is_not_imported() -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 -- too short is the point
    octets = short.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for alg in ("RS256", "PS256"):
        with pytest.raises(ValueError, match=alg):
            jwk.import_private_key(octets, kid="k", alg=alg)


def test_a_secret_key_comes_from_a_secret_alone() -> None:
    key = jwk.make_secret_key(bytes(32), kid="hs-1")
    assert repr(key) == "SecretKey(kid='hs-1', alg='HS256')"
    assert key.verifying().verify(b"m", key.sign(b"m"))
    for members in ({"kty": "oct", "k": "A" * 43}, {"kty": "oct", "k": "A" * 43, "alg": "HS256", "kid": "hs-1"}):
        with pytest.raises(ValueError, match="kty"):
            jwk.parse_jwk(members)


def test_a_public_key_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        jwk.parse_jwk(RFC_7517_EC).alg = "none"
