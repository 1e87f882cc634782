"""The examples that the specifications print: in rfc_examples/, proven by other libraries, and put to our verifier.

`outcome` is what it says: verified, a code, or (of what is encrypted) refused; `by_configuration` what it says where
the key and the verifier name the example's algorithm.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import joserfc.jwe
import joserfc.jwk
import joserfc.jws
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, x448, x25519
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from cryptography.hazmat.primitives.padding import PKCS7

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url, jws
from sealring_verify.jose.algorithms import ALGORITHMS, OTHER_NAMES
from sealring_verify.jose.jwe import EncryptionKey, decrypt_compact
from sealring_verify.jose.jwk import make_secret_key, thumbprint
from sealring_verify.jose.jwks import KeySet, parse_jwks

FOLDER = Path(__file__).parent / "rfc_examples"
NUMBERS = (7515, 7516, 7517, 7518, 7519, 7520, 8037, 9864, 9964)
Example = dict[str, Any]
MLDSA = {"ML-DSA-44": mldsa.MLDSA44PublicKey, "ML-DSA-65": mldsa.MLDSA65PublicKey, "ML-DSA-87": mldsa.MLDSA87PublicKey}


def read(number: int) -> list[Example]:
    return json.loads((FOLDER / f"rfc{number}.json").read_text())["examples"]


def having(member: str, *numbers: int) -> list[Any]:
    return [
        pytest.param(example, id=f"RFC {number} {example['example']}")
        for number in numbers or NUMBERS
        for example in read(number)
        if member in example
    ]


def octets(text: str) -> bytes:
    return base64url.decode(text.encode())


def test_each_specification_is_there() -> None:
    counts = {number: len(read(number)) for number in NUMBERS}
    assert counts == {7515: 8, 7516: 5, 7517: 5, 7518: 4, 7519: 4, 7520: 29, 8037: 7, 9864: 3, 9964: 3}
    assert sorted(FOLDER.iterdir()) == [FOLDER / f"rfc{number}.json" for number in NUMBERS]


def ours(example: Example, *, configured: bool = False) -> str:
    key = example["key"]
    try:
        if key is not None and key["kty"] == "oct":
            keys, algorithms = (
                KeySet([make_secret_key(octets(key["k"]), kid="").verifying()], without_ids=True),
                {"HS256"},
            )
        else:
            members = {} if key is None else {name: value for name, value in key.items() if name != "d"}
            if configured:
                members["alg"] = example["alg"]
            keys = parse_jwks(json.dumps({"keys": [members]}).encode())
            algorithms = {example["alg"]} if configured else set(ALGORITHMS)
        payload = jws.verify_compact(example["jws"], keys=keys, algorithms=algorithms).payload
    except InvalidToken as refusal:
        return refusal.code
    assert payload.decode() == example["payload"]
    return "verified"


@pytest.mark.parametrize("example", having("jws"))
def test_a_signed_example_ends_as_the_table_says(example: Example) -> None:
    assert ours(example) == example["outcome"]
    if "by_configuration" in example:
        assert ours(example, configured=True) == example["by_configuration"]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # EdDSA and RSA1_5 are deprecated
@pytest.mark.parametrize("example", having("jws", 7515, 7519, 7520, 8037))
def test_a_signed_example_was_written_down_right(example: Example) -> None:
    if example["alg"] == "none":
        header, payload, signature = example["jws"].split(".")
        assert json.loads(octets(header))["alg"] == "none"
        assert (octets(payload).decode(), signature) == (example["payload"], "")
        return
    algorithms = example["alg"].split(", ")
    if example["jws"].startswith("{"):
        document = json.loads(example["jws"])
        assert octets(document["payload"]).decode() == example["payload"]
        for key, alg in zip(json_keys(example), algorithms, strict=True):
            read_json(document, key, alg)
    elif example["outcome"] == "bad_signature":  # with detached content, which is put back to be proven
        header, _, signature = example["jws"].split(".")
        attached = f"{header}.{base64url.encode(example['payload'].encode()).decode()}.{signature}"
        assert joserfc.jws.deserialize_compact(attached, joserfc_key(example["key"]), algorithms).payload
    else:
        found = joserfc.jws.deserialize_compact(example["jws"], joserfc_key(example["key"]), algorithms)
        assert found.payload.decode() == example["payload"]


def json_keys(example: Example) -> list[Example]:
    if example.get("key"):
        return [example["key"]]
    if "keys" in example:
        return list(example["keys"])
    by_algorithm = {other["alg"]: other["key"] for other in read(7515) if other["key"]}
    return [by_algorithm[alg] for alg in example["alg"].split(", ")]


def read_json(document: dict[str, Any], key: Example, alg: str) -> None:
    signatures = document.get("signatures", [document])
    headers = [{**protected(signature), **signature.get("header", {})} for signature in signatures]
    (mine,) = (signature for signature, header in zip(signatures, headers, strict=True) if header["alg"] == alg)
    if "protected" not in mine:  # an unprotected header alone: the signing input begins with the full stop
        assert mine["header"]["alg"] == alg
    message = f"{mine.get('protected', '')}.{document['payload']}".encode()
    algorithm = joserfc.jws.JWSRegistry.algorithms[alg]
    assert algorithm.verify(message, octets(mine["signature"]), joserfc_key(key))


def protected(signature: dict[str, Any]) -> dict[str, Any]:
    return json.loads(octets(signature["protected"])) if "protected" in signature else {}


def joserfc_key(members: Example) -> Any:  # noqa: ANN401 - one of four types
    # Their registry reads `use` and `key_ops` in its own way, which is not what is proven here.
    return joserfc.jwk.import_key(
        {name: value for name, value in members.items() if name not in {"use", "key_ops", "alg"}}
    )


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # as above
@pytest.mark.parametrize("example", having("jwe"))
def test_an_encrypted_example_was_written_down_right_and_is_none_that_we_take(example: Example) -> None:
    assert plaintext(example) == example["plaintext"]
    for alg in ("ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256"):
        key = EncryptionKey(kid=str(example["key"].get("kid")), alg=alg, material=joserfc_key(example["key"]))
        with pytest.raises(InvalidToken) as refused:
            decrypt_compact(example["jwe"], keys={key.kid: key})
        assert refused.value.code in {
            "token_not_encrypted",
            "token_malformed",
            "decryption_failed",
            "algorithm_not_allowed",
        }


def plaintext(example: Example) -> str:
    algorithms, key = [example["alg"], example["enc"], "DEF"], joserfc_key(example["key"])
    if not example["jwe"].startswith("{"):
        return (joserfc.jwe.decrypt_compact(example["jwe"], key, algorithms=algorithms).plaintext or b"").decode()
    document = json.loads(example["jwe"])
    for recipient in document.pop("recipients", []):
        if protected(document).get("alg", recipient.get("header", {}).get("alg")) == example["alg"]:
            document |= recipient
    if "protected" in document:
        return (joserfc.jwe.decrypt_json(document, key, algorithms=algorithms).plaintext or b"").decode()
    # With no protected header, which their library does not know: A128KW and A128GCM over empty additional data.
    cek = aes_key_unwrap(octets(example["key"]["k"]), octets(document["encrypted_key"]))
    sealed = octets(document["ciphertext"]) + octets(document["tag"])
    return AESGCM(cek).decrypt(octets(document["iv"]), sealed, b"").decode()


@pytest.mark.parametrize("example", having("jwks", 7517))
def test_a_key_set_of_rfc_7517_gives_what_may_verify(example: Example) -> None:
    keys = parse_jwks(json.dumps(example["jwks"]).encode())
    assert [key.kid for key in keys.keys] == example["usable"]
    assert len(keys.skipped) == len(example["skipped"])
    for said, expected in zip(keys.skipped, example["skipped"], strict=True):
        assert expected in said


@pytest.mark.parametrize("example", having("cek", 7518))
def test_the_content_encryption_of_rfc_7518_is_reproduced(example: Example) -> None:
    import hmac

    cek, iv, aad = bytes.fromhex(example["cek"]), bytes.fromhex(example["iv"]), example["aad"].encode()
    half = len(cek) // 2
    padder = PKCS7(128).padder()
    padded = padder.update(example["plaintext"].encode()) + padder.finalize()
    encryptor = Cipher(AES(cek[half:]), CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    assert ciphertext.hex() == example["ciphertext"]
    digest = {16: hashlib.sha256, 24: hashlib.sha384, 32: hashlib.sha512}[half]
    tag = hmac.digest(cek[:half], aad + iv + ciphertext + (8 * len(aad)).to_bytes(8, "big"), digest)
    assert tag[:half].hex() == example["tag"]


def test_the_agreement_of_rfc_7518_is_reproduced() -> None:
    (example,) = (other for other in read(7518) if other["example"] == "C")
    ephemeral, recipient = (_p256(example[name]) for name in ("ephemeral", "recipient"))
    z = ephemeral.exchange(ec.ECDH(), recipient.public_key())
    assert z == recipient.exchange(ec.ECDH(), ephemeral.public_key()) == octets(example["z"])
    other_info = b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (example["enc"].encode(), octets(example["apu"]), octets(example["apv"]))
    )
    derived = ConcatKDFHash(SHA256(), 16, other_info + (128).to_bytes(4, "big")).derive(z)
    assert base64url.encode(derived).decode() == example["derived"]


def _p256(members: Example) -> ec.EllipticCurvePrivateKey:
    key = ec.derive_private_key(int.from_bytes(octets(members["d"]), "big"), ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    assert (numbers.x, numbers.y) == tuple(int.from_bytes(octets(members[name]), "big") for name in ("x", "y"))
    return key


@pytest.mark.parametrize("example", having("z", 8037))
def test_the_agreements_of_rfc_8037_are_reproduced(example: Example) -> None:
    room = x25519 if example["crv"] == "X25519" else x448
    private = getattr(room, f"{example['crv']}PrivateKey").from_private_bytes(octets(example["ephemeral"]["d"]))
    public = getattr(room, f"{example['crv']}PublicKey").from_public_bytes(octets(example["recipient"]["x"]))
    assert private.public_key().public_bytes_raw() == octets(example["ephemeral"]["x"])
    assert private.exchange(public) == octets(example["z"])


@pytest.mark.parametrize("example", having("thumbprint"))
def test_a_thumbprint_is_the_one_that_is_printed(example: Example) -> None:
    assert thumbprint(example["jwk"]) == example["thumbprint"]


@pytest.mark.parametrize("example", having("jwk", 7520, 8037))
def test_a_printed_key_can_be_read_and_none_with_a_private_half_is_taken(example: Example) -> None:
    key = example["jwk"]
    assert joserfc_key(key).thumbprint()
    keys = parse_jwks(json.dumps({"keys": [key]}).encode())
    assert bool(keys.keys) == (not {"d", "k"} & key.keys() and key.get("crv") != "P-521")


@pytest.mark.parametrize("example", having("name", 9864))
def test_the_names_of_rfc_9864_are_taken_as_the_table_says(example: Example) -> None:
    said = "taken" if example["name"] in ALGORITHMS else "refused"
    assert ("by configuration" if example["name"] in OTHER_NAMES else said) == example["outcome"]


@pytest.mark.parametrize("example", having("jws", 9964))
def test_an_ml_dsa_example_was_written_down_right_and_its_key_is_skipped(example: Example) -> None:
    key, signing_input = example["key"], example["jws"].rpartition(".")[0]
    public = MLDSA[example["alg"]].from_public_bytes(octets(key["pub"]))
    public.verify(octets(example["jws"].rpartition(".")[2]), signing_input.encode())
    seeded = getattr(mldsa, f"MLDSA{example['alg'][-2:]}PrivateKey").from_seed_bytes(octets(key["priv"]))
    assert seeded.public_key().public_bytes_raw() == octets(key["pub"])
    required = json.dumps({name: key[name] for name in ("alg", "kty", "pub")}, separators=(",", ":"))
    assert base64url.encode(hashlib.sha256(required.encode()).digest()).decode() == key["kid"]
    published = {name: value for name, value in key.items() if name != "priv"}
    assert parse_jwks(json.dumps({"keys": [published]}).encode()).keys == ()
