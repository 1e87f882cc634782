import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from sealring_verify.inspect.key_sources import KeyProblem, file_keys, issuer_keys, jwks_keys
from sealring_verify.jose.jwk import generate_private_key

if TYPE_CHECKING:
    from conftest import LocalIssuer

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "key"


def test_a_public_key_and_a_certificate_are_read(file: Path) -> None:
    file.write_bytes(PEM)
    assert [key.alg for key in file_keys(str(file)).keys.keys] == ["ES256"]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "k")])
    begins = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, KEY.public_key(), 1, begins, begins.replace(year=2030)).sign(KEY, SHA256())
    )  # fmt: skip
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    assert [key.alg for key in file_keys(str(file)).keys.keys] == ["ES256"]


def test_an_rsa_key_is_good_for_both_of_its_algorithms(file: Path) -> None:
    key = generate_private_key("RS256").material.public_key()
    file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert [key.alg for key in file_keys(str(file)).keys.keys] == ["PS256", "RS256"]


def test_a_secret_is_the_files_octets_without_the_last_line_break(file: Path) -> None:
    for content, is_short in ((b"s" * 32 + b"\r\n", False), (b"s" * 31 + b"\n", True), (b"\x00" * 32, False)):
        file.write_bytes(content)
        found = file_keys(str(file))
        assert (found.secret_is_short, found.keys.keys[0].alg) == (is_short, "HS256")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "private key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"),
        (b'{"keys":[]}', "--jwks"),
        (b"\n", "empty"),
        (b"x" * 300_000, "longer"),
        (
            rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - refused for its size
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "2048 bits",
        ),
    ],
)  # fmt: skip
def test_what_is_no_key_is_a_sentence(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(KeyProblem, match=said):
        file_keys(str(file))


def test_a_secret_in_the_place_of_its_file_is_not_repeated() -> None:
    for read in (file_keys, jwks_keys):
        with pytest.raises(KeyProblem) as problem:
            read("hunter2\0-secret")
        assert "hunter2" not in str(problem.value)


def test_a_key_set_is_read_from_a_file_also_where_it_is_one_key(file: Path) -> None:
    key = generate_private_key("Ed25519", kid="k1")
    for document in ({"keys": [key.public_jwk()]}, key.public_jwk(), {**key.public_jwk(), "alg": "EdDSA"}):
        file.write_text(json.dumps(document))
        found = jwks_keys(str(file))
        assert [(each.kid, each.alg) for each in found.keys.keys] == [("k1", "Ed25519")]


def test_a_set_without_a_usable_key_says_which_were_none(file: Path) -> None:
    file.write_text('{"keys":[{"kty":"EC","crv":"P-521"}]}')
    with pytest.raises(KeyProblem, match="key 0: its kty and crv"):
        jwks_keys(str(file))
    for content in ("nonsense", "[]", '{"keys":5}', "[" * 100_000):
        file.write_text(content)
        with pytest.raises(KeyProblem, match="not a JWK set"):
            jwks_keys(str(file))


def test_an_issuers_keys_and_a_key_set_come_over_http(issuer: "LocalIssuer") -> None:
    assert [key.kid for key in issuer_keys(issuer.url).keys.keys] == ["k1"]
    assert [key.kid for key in jwks_keys(f"{issuer.url}/jwks").keys.keys] == ["k1"]


def test_what_cannot_be_fetched_is_unreachable_and_what_makes_no_sense_is_not(issuer: "LocalIssuer") -> None:
    issuer.stop()
    for fetch in (lambda: issuer_keys(issuer.url), lambda: jwks_keys(f"{issuer.url}/jwks")):
        with pytest.raises(KeyProblem) as problem:
            fetch()
        assert problem.value.unreachable
    for fetch in (lambda: issuer_keys("http://id.example.com"), lambda: jwks_keys("http://id.example.com/jwks")):
        with pytest.raises(KeyProblem, match="https") as problem:
            fetch()
        assert not problem.value.unreachable
