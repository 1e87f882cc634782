"""Written by us and read by joserfc, written by joserfc and read by us; and everything else refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from sealring_verify import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.jwe import (
    EncryptionKey,
    decrypt_compact,
    encrypt_compact,
    parse_decryption_jwks,
    parse_encryption_jwks,
)

EC = ECKey.generate_key("P-256")
OKP = OKPKey.generate_key("X25519")
RSA = RSAKey.generate_key(2048)
SIGNED = "aGVhZA.cGF5bG9hZA.c2ln"
CASES = [
    (EC, None, "ECDH-ES+A256KW"),
    (EC, "ECDH-ES", "ECDH-ES"),
    (OKP, None, "ECDH-ES+A256KW"),
    (OKP, "ECDH-ES", "ECDH-ES"),
    (RSA, None, "RSA-OAEP-256"),
]


def member(key: Any, *, private: bool = False, **changes: object) -> dict[str, object]:  # noqa: ANN401 -- three types
    members = {**key.as_dict(private=private), "use": "enc", "kid": "one", **changes}
    return {name: value for name, value in members.items() if value is not None}


def jwks(*members: dict[str, object]) -> bytes:
    return json.dumps({"keys": members}).encode()


def pair(key: Any, alg: str | None) -> tuple[EncryptionKey, dict[str, EncryptionKey]]:  # noqa: ANN401 -- as above
    (public,) = parse_encryption_jwks(jwks(member(key, alg=alg)))
    return public, dict(parse_decryption_jwks(jwks(member(key, private=True, alg=alg))))


@pytest.mark.parametrize(("key", "named", "alg"), CASES)
def test_what_we_write_the_library_reads_and_the_other_way_round(key: Any, named: str | None, alg: str) -> None:  # noqa: ANN401 -- as above
    public, private = pair(key, named)
    assert (public.kid, public.alg) == ("one", alg)
    ours = encrypt_compact(SIGNED, key=public)
    read = jwe.decrypt_compact(ours, key, algorithms=[alg, "A256GCM"])
    assert (read.plaintext, read.headers()["cty"], read.headers()["kid"]) == (SIGNED.encode(), "JWT", "one")
    assert read.headers()["enc"] == "A256GCM"
    theirs = jwe.encrypt_compact(
        {"alg": alg, "enc": "A256GCM", "cty": "JWT", "kid": "one"}, SIGNED, key, algorithms=[alg, "A256GCM"]
    )
    assert decrypt_compact(ours, keys=private) == decrypt_compact(theirs, keys=private) == SIGNED


def test_the_id_of_a_key_without_one_is_its_thumbprint_on_both_sides() -> None:
    (public,) = parse_encryption_jwks(jwks(member(OKP, kid=None)))
    private = parse_decryption_jwks(jwks(member(OKP, private=True, kid=None)))
    assert private.keys() == {public.kid} == {OKP.thumbprint()}


def test_the_first_usable_key_is_used() -> None:
    keys = parse_encryption_jwks(
        jwks(
            member(EC, use="sig", kid="a"),
            member(EC, alg="ECDH-ES+A128KW", kid="b"),
            member(ECKey.generate_key("P-384"), kid="c"),
            member(RSA, kid="d"),
            member(OKP, kid="e"),
        )
    )
    assert [key.kid for key in keys] == ["d", "e"]


@pytest.mark.parametrize("key", [EC, OKP, RSA])
def test_a_private_key_is_refused_without_being_repeated(key: Any) -> None:  # noqa: ANN401 -- as above
    private = member(key, private=True)
    with pytest.raises(ValueError, match="private key") as refused:
        parse_encryption_jwks(jwks(member(OKP, kid="public"), private))
    assert str(private["d"]) not in str(refused.value)
    assert "d" not in repr(parse_encryption_jwks(jwks(member(key, kid="x")))[0]).replace("EncryptionKey(kid=", "")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":[]}',
        b'{"keys":[1]}',
        b'{"keys":[{}]}',
        b'{"keys":[],"keys":[]}',
        jwks(member(OctKey.generate_key(256), private=True)),
        jwks(member(EC, use=None)),
        jwks(member(EC, crv="P-521")),
        jwks(member(EC, x="AAAA")),
        jwks(member(RSA, alg="RSA1_5")),
        jwks(member(RSA, alg="RSA-OAEP")),
        jwks(member(EC), member(OKP)),
        jwks(*[member(OKP, kid=str(number)) for number in range(17)]),
    ],
)
def test_a_set_of_no_use_is_a_sentence(document: bytes) -> None:
    for parse in (parse_encryption_jwks, parse_decryption_jwks):
        with pytest.raises(ValueError, match=r"\.$|\)\.$"):
            parse(document)


def test_a_small_key_is_of_no_use() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()  # noqa: S505 -- so it is refused
    n, e = (
        base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()
        for value in (numbers.n, numbers.e)
    )
    with pytest.raises(ValueError, match="no usable key"):
        parse_encryption_jwks(jwks({"kty": "RSA", "use": "enc", "n": n, "e": e}))


PUBLIC, PRIVATE = pair(OKP, None)
TRUE = encrypt_compact(SIGNED, key=PUBLIC)


def code_of(token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        decrypt_compact(token, keys=PRIVATE)
    return refused.value.code


def with_header(**changes: object) -> str:
    first, rest = TRUE.split(".", 1)
    header = {**json.loads(base64url.decode(first.encode())), **changes}
    kept = {name: value for name, value in header.items() if value is not None}
    return base64url.encode(json.dumps(kept).encode()).decode() + "." + rest


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (SIGNED, "token_not_encrypted"),
        ("", "token_not_encrypted"),
        ("....", "token_malformed"),
        ("A" * 16_385, "token_too_large"),
        (TRUE + "=", "token_malformed"),
        ("é" + TRUE, "token_malformed"),
        (TRUE.replace(".", "..", 1), "token_not_encrypted"),
        (with_header(zip="DEF"), "token_malformed"),
        (with_header(crit=["b64"], b64=False), "critical_header"),
        (with_header(cty=None), "token_malformed"),
        (with_header(kid="another"), "decryption_failed"),
        (with_header(kid=None), "decryption_failed"),
        (with_header(alg="dir"), "algorithm_not_allowed"),
        (with_header(alg="ECDH-ES"), "algorithm_not_allowed"),
        (with_header(alg="PBES2-HS256+A128KW", p2c=1), "token_malformed"),
        (with_header(enc="A128CBC-HS256"), "algorithm_not_allowed"),
        (with_header(epk=None), "decryption_failed"),
        (with_header(epk={"kty": "OKP", "crv": "X25519", "x": "A" * 43}), "decryption_failed"),
        (with_header(epk={"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), "decryption_failed"),
        (with_header(epk="x"), "decryption_failed"),
        (with_header(epk=[1]), "decryption_failed"),
        (with_header(epk={}), "decryption_failed"),
        (with_header(epk={"kty": "OKP", "crv": "X25519", "x": 7}), "decryption_failed"),
        (with_header(kid=7), "decryption_failed"),
        (with_header(alg=["ECDH-ES"]), "algorithm_not_allowed"),
        (with_header(apu="QQ"), "token_malformed"),
        (with_header(kid="x" * 4096), "token_too_large"),
    ],
)
def test_everything_else_has_its_code(token: str, code: str) -> None:
    assert code_of(token) == code


@given(st.data())
def test_no_change_of_a_token_passes_and_none_raises_anything_else(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(TRUE) - 1))
    changed = TRUE[:place] + data.draw(st.text(max_size=3)) + TRUE[place + 1 :]
    if changed != TRUE:
        assert code_of(changed)


@given(st.text(), st.text())
def test_any_header_and_any_text_is_refused_by_a_code(value: str, other: str) -> None:
    assert code_of(with_header(epk={"kty": value, "crv": other, "x": other}))
    assert code_of(f"{value}.{other}.{value}.{other}.{value}")
