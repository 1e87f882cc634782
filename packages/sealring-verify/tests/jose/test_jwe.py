"""Written by us and read by joserfc, written by joserfc and read by us; and everything else refused."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
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
SECRET = OctKey.generate_key(256)
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
        jwks(member(OctKey.generate_key(128), private=True)),
        jwks(member(SECRET, private=True, kid=None)),
        jwks(member(SECRET, private=True, alg="A256GCMKW")),
        jwks(member(SECRET, private=True, alg="A256KW")),
        jwks(member(SECRET, private=True, alg="PBES2-HS256+A128KW")),
        jwks(member(EC, use=None)),
        jwks(member(EC, crv="P-521")),
        jwks(member(EC, x="AAAA")),
        jwks(member(RSA, alg="RSA1_5")),
        jwks(member(RSA, alg="RSA-OAEP")),
        jwks(member(EC), member(OKP)),
        jwks(*[member(OKP, kid=str(number)) for number in range(17)]),
    ],
    ids=itertools.count(),
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


def theirs(key: Any, alg: str, *, octets: bytes = SIGNED.encode(), **header: object) -> str:  # noqa: ANN401 -- as above
    members = {"alg": alg, "enc": "A256GCM", "cty": "JWT", "kid": "one", **header}
    algorithms = [alg, str(members["enc"]), "DEF"]
    return jwe.encrypt_compact(members, octets, key, algorithms=algorithms)


def outcome(token: str, keys: Mapping[str, EncryptionKey]) -> str:
    try:
        return decrypt_compact(token, keys=keys)
    except InvalidToken as refusal:
        return refusal.code


def changed(token: str, part: int, octets: bytes) -> str:
    parts = token.split(".")
    parts[part] = base64url.encode(octets).decode()
    return ".".join(parts)


def octets_of(token: str, part: int) -> bytes:
    return base64url.decode(token.split(".")[part].encode())


KEYS = {
    "ECDH-ES P-256": (EC, "ECDH-ES"),
    "ECDH-ES+A256KW P-256": (EC, "ECDH-ES+A256KW"),
    "ECDH-ES X25519": (OKP, "ECDH-ES"),
    "ECDH-ES+A256KW X25519": (OKP, "ECDH-ES+A256KW"),
    "RSA-OAEP-256": (RSA, "RSA-OAEP-256"),
    "dir": (SECRET, "dir"),
}


@pytest.fixture(params=KEYS)
def way(request: pytest.FixtureRequest) -> tuple[Any, str, Mapping[str, EncryptionKey]]:
    key, alg = KEYS[request.param]
    return key, alg, parse_decryption_jwks(jwks(member(key, private=True, alg=alg)))


Way = tuple[Any, str, Mapping[str, EncryptionKey]]


def test_what_the_library_writes_for_any_way_is_read(way: Way) -> None:
    key, alg, private = way
    assert outcome(theirs(key, alg), private) == SIGNED


def test_a_secret_decrypts_and_is_never_encrypted_to() -> None:
    with pytest.raises(ValueError, match="private key"):
        parse_encryption_jwks(jwks(member(SECRET, private=True)))
    with pytest.raises(ValueError, match="private half"):
        parse_decryption_jwks(jwks({"kty": "oct", "use": "enc", "kid": "one"}))
    (key,) = parse_decryption_jwks(jwks(member(SECRET, private=True))).values()
    assert repr(key) == "EncryptionKey(kid='one', alg='dir')"


@pytest.mark.parametrize("length", [0, 1, 4, 8, 12, 15, 17, 32])
def test_a_tag_of_another_length_is_refused(way: Way, length: int) -> None:
    key, alg, private = way
    token = theirs(key, alg)
    tag = octets_of(token, 4)
    assert outcome(changed(token, 4, (tag + tag)[:length]), private) == "decryption_failed"


@pytest.mark.parametrize("length", [0, 8, 11, 13, 16])
def test_an_initialization_vector_of_another_length_is_refused(way: Way, length: int) -> None:
    key, alg, private = way
    token = theirs(key, alg)
    vector = octets_of(token, 2)
    assert outcome(changed(token, 2, (vector + vector)[:length]), private) == "decryption_failed"


def test_a_part_that_was_changed_emptied_or_cut_is_refused(way: Way) -> None:
    key, alg, private = way
    token = theirs(key, alg)
    for part in range(1, 5):
        octets = octets_of(token, part)
        for other in (b"", octets[:-1], octets + b"\0", bytes([octets[0] ^ 1]) + octets[1:] if octets else b"\0"):
            if other != octets:
                assert outcome(changed(token, part, other), private) == "decryption_failed"


def test_where_the_key_is_agreed_or_shared_an_encrypted_key_has_no_place() -> None:
    for key, alg in ((EC, "ECDH-ES"), (OKP, "ECDH-ES"), (SECRET, "dir")):
        private = parse_decryption_jwks(jwks(member(key, private=True, alg=alg)))
        assert outcome(changed(theirs(key, alg), 1, bytes(40)), private) == "decryption_failed"


def test_what_was_compressed_is_refused_before_it_is_decrypted(way: Way) -> None:
    key, alg, private = way
    bomb = theirs(key, alg, octets=b"A" * 200_000, zip="DEF")
    assert len(bomb) < 2_000
    assert outcome(bomb, private) == "token_malformed"


@pytest.mark.parametrize("enc", ["A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512"])
def test_another_content_encryption_is_refused(enc: str) -> None:
    private = parse_decryption_jwks(jwks(member(RSA, private=True)))
    assert outcome(theirs(RSA, "RSA-OAEP-256", enc=enc), private) == "algorithm_not_allowed"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_older_and_password_based_key_managements_are_refused_for_every_key() -> None:
    private = parse_decryption_jwks(jwks(member(RSA, private=True)))
    for alg in ("RSA1_5", "RSA-OAEP"):
        assert outcome(theirs(RSA, alg), private) == "algorithm_not_allowed"
    secret = parse_decryption_jwks(jwks(member(SECRET, private=True)))
    for alg in ("A256KW", "A256GCMKW", "PBES2-HS256+A128KW"):
        # Their own header members (iv, tag, p2s, p2c) are refused before the algorithm is looked at.
        assert outcome(theirs(SECRET, alg), secret) in {"algorithm_not_allowed", "token_malformed"}
    for alg in ("PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "none", "", None, "DIR", "ECDH-1PU", "RSA1_5"):
        assert code_of(with_header(alg=alg)) == "algorithm_not_allowed"


# RFC 7748 §6.1, RFC 7518 §4.6: points that no honest sender makes.
OFF_THE_CURVE = [
    {"kty": "EC", "crv": "P-256", "x": base64url.encode(bytes(31) + b"\1").decode(), "y": "A" * 42 + "E"},
    {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    {"kty": "EC", "crv": "P-256", "x": base64url.encode(b"\xff" * 32).decode(), "y": "A" * 43},
    {"kty": "EC", "crv": "P-384", "x": "A" * 64, "y": "A" * 64},
    {"kty": "EC", "crv": "P-256", "x": "A" * 43},
    ECKey.generate_key("P-384").as_dict(private=False),
    ECKey.generate_key("secp256k1").as_dict(private=False),
    OKPKey.generate_key("Ed25519").as_dict(private=False),
    OKPKey.generate_key("X448").as_dict(private=False),
    *(
        {"kty": "OKP", "crv": "X25519", "x": base64url.encode(bytes.fromhex(point)).decode()}
        for point in (
            "00" * 32,
            "01" + "00" * 31,
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ec" + "ff" * 30 + "7f",
            "ed" + "ff" * 30 + "7f",
            "ee" + "ff" * 30 + "7f",
        )
    ),
]


@pytest.mark.parametrize("epk", OFF_THE_CURVE)
@pytest.mark.parametrize("alg", ["ECDH-ES", "ECDH-ES+A256KW"])
@pytest.mark.parametrize("key", [EC, OKP])
def test_an_invalid_or_foreign_point_is_refused(key: Any, alg: str, epk: dict[str, object]) -> None:  # noqa: ANN401 -- as above
    private = parse_decryption_jwks(jwks(member(key, private=True, alg=alg)))
    token = theirs(key, alg)
    header = json.loads(octets_of(token, 0))
    token = changed(token, 0, json.dumps({**header, "epk": epk}).encode())
    assert outcome(token, private) == "decryption_failed"


def agreed(shared: bytes, epk: Mapping[str, object]) -> str:
    """Encrypt by ECDH-ES as whoever knows the shared secret can (RFC 7518 §4.6.2)."""
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", "kid": "one", "epk": epk}
    encoded = base64url.encode(json.dumps(header).encode())
    about = len(b"A256GCM").to_bytes(4, "big") + b"A256GCM" + bytes(8) + (256).to_bytes(4, "big")
    content_key = ConcatKDFHash(SHA256(), 32, about).derive(shared)
    sealed = AESGCM(content_key).encrypt(bytes(12), SIGNED.encode(), encoded)
    return b".".join([encoded, b"", *map(base64url.encode, (bytes(12), sealed[:-16], sealed[-16:]))]).decode()


@pytest.mark.parametrize("epk", [epk for epk in OFF_THE_CURVE if epk["crv"] == "X25519"])
def test_a_token_under_the_secret_that_a_point_of_low_order_forces_is_refused(epk: dict[str, object]) -> None:
    """Whatever the private key, such a point makes the shared secret zero."""
    private = parse_decryption_jwks(jwks(member(OKP, private=True, alg="ECDH-ES")))
    assert outcome(agreed(bytes(32), epk), private) == "decryption_failed"
    ephemeral = OKPKey.generate_key("X25519")
    honest = agreed(ephemeral.exchange_derive_key(OKP), ephemeral.as_dict(private=False))
    assert outcome(honest, private) == SIGNED


def test_an_ephemeral_key_with_its_private_half_is_refused() -> None:
    assert code_of(with_header(epk=OKPKey.generate_key("X25519").as_dict(private=True))) == "token_malformed"


def test_the_json_forms_with_their_unprotected_headers_are_no_tokens() -> None:
    header, encrypted_key, vector, ciphertext, tag = TRUE.split(".")
    general = {
        "protected": header,
        "unprotected": {"alg": "dir"},
        "recipients": [{"header": {"kid": "one"}, "encrypted_key": encrypted_key}],
        "iv": vector,
        "ciphertext": ciphertext,
        "tag": tag,
    }
    flattened = {**general, "header": {"kid": "one"}, "encrypted_key": encrypted_key}
    del flattened["recipients"]
    for form in (general, flattened):
        assert code_of(json.dumps(form)) == "token_not_encrypted"
        assert code_of(json.dumps(form).replace(":", ".", 4)) == "token_malformed"


@pytest.mark.parametrize("cty", [None, "", "JWE", "at+jwt", "json", 7, ["JWT"], True])
def test_only_a_token_within_is_announced(cty: object) -> None:
    assert code_of(with_header(cty=cty)) == "token_malformed"


def test_what_is_within_may_be_anything_but_text_is_what_comes_out() -> None:
    private = parse_decryption_jwks(jwks(member(RSA, private=True)))
    assert outcome(theirs(RSA, "RSA-OAEP-256", octets=b""), private) == ""
    for octets in (b"\xff\xfe", "é".encode()):
        assert outcome(theirs(RSA, "RSA-OAEP-256", octets=octets), private) == "decryption_failed"


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
