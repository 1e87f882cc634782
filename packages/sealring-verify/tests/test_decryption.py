import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey, OKPKey

from sealring_verify import TokenRefused, Verifier
from sealring_verify.decryption import Decryption
from sealring_verify.jose.jwe import encrypt_compact, parse_encryption_jwks
from sealring_verify.testing import Issuer

if TYPE_CHECKING:
    from conftest import LocalIssuer

KEYS = [OKPKey.generate_key("X25519", {"kid": kid, "use": "enc"}) for kid in ("old", "new", "foreign")]
FAKE = Issuer("orders", offline=True)
SET = {"keys": [key.as_dict(private=True) for key in KEYS[:2]]}


def encrypted(token: str, key: OKPKey = KEYS[0]) -> str:
    (public,) = parse_encryption_jwks(json.dumps({"keys": [key.as_dict(private=False)]}).encode())
    return encrypt_compact(token, key=public)


async def outcome(verifier: Verifier, token: str) -> str:
    said = []
    for awaits in (False, True):
        try:
            said.append((await verifier.verify_async(token) if awaits else verifier.verify(token)).sub)
        except TokenRefused as refusal:
            said.append(refusal.code)
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize("document", [SET, json.dumps(SET), json.dumps(SET).encode()])
async def test_a_token_encrypted_to_any_key_of_the_set_passes(issuer: "LocalIssuer", document: Any) -> None:  # noqa: ANN401 -- as the verifier takes it
    verifier = Verifier(issuer.url, "orders", decryption_jwks=document)
    for key in KEYS[:2]:
        token = encrypted(issuer.token(email="ada@example.com"), key)
        assert await outcome(verifier, token) == "u1"
        assert verifier.verify(token).claims["email"] == "ada@example.com"
    assert await outcome(verifier, encrypted(issuer.token(), KEYS[2])) == "decryption_failed"


async def test_what_is_within_is_verified_as_ever(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", decryption_jwks=SET)
    for changes, code in (
        ({"exp": 1000}, "token_expired"),
        ({"aud": "bills"}, "wrong_audience"),
        ({"typ": "JWT"}, "wrong_type"),
    ):
        assert await outcome(verifier, encrypted(issuer.token(**changes))) == code
    for token, code in (
        (FAKE.unsigned_token(), "algorithm_not_allowed"),
        (FAKE.public_key_as_secret_token(), "algorithm_not_allowed"),
        (issuer.token().rpartition(".")[0] + ".", "bad_signature"),
        (json.dumps(issuer.claims()), "token_malformed"),
    ):
        assert await outcome(verifier, encrypted(token)) == code
    forged = issuer.token()[:-8] + "AAAAAAAA"
    assert await outcome(verifier, encrypted(forged)) == "bad_signature"
    # Whoever encrypts proves nothing: everybody has the public key.
    assert await outcome(verifier, encrypted("nonsense")) == "token_malformed"
    assert await outcome(verifier, encrypted(encrypted(issuer.token()))) == "token_malformed"


async def test_a_verifier_takes_encrypted_tokens_or_signed_ones_and_says_which(issuer: "LocalIssuer") -> None:
    assert await outcome(Verifier(issuer.url, "orders", decryption_jwks=SET), issuer.token()) == "token_not_encrypted"
    assert await outcome(Verifier(issuer.url, "orders"), encrypted(issuer.token())) == "token_encrypted"


async def test_a_token_under_a_secret_that_the_api_shares_is_read_and_its_signature_still_counts(
    issuer: "LocalIssuer",
) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared", "use": "enc", "alg": "dir"})
    verifier = Verifier(issuer.url, "orders", decryption_jwks={"keys": [secret.as_dict(private=True)]})
    header = {"alg": "dir", "enc": "A256GCM", "cty": "JWT", "kid": "shared"}

    def shared(token: str) -> str:
        return jwe.encrypt_compact(header, token, secret, algorithms=["dir", "A256GCM"])

    assert await outcome(verifier, shared(issuer.token())) == "u1"
    # Who shares the secret can encrypt, and signs nothing by it.
    assert await outcome(verifier, shared(FAKE.unsigned_token())) == "algorithm_not_allowed"
    assert await outcome(verifier, encrypted(issuer.token())) == "decryption_failed"


async def test_a_token_that_is_too_long_is_refused_before_it_is_decrypted(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", decryption_jwks=SET)
    assert await outcome(verifier, encrypted(issuer.token(blob="x" * 16_000))) == "token_too_large"


async def test_a_new_key_of_the_issuer_is_found_within_an_encrypted_token(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", decryption_jwks=SET, monotonic=lambda: now)
    assert await outcome(verifier, encrypted(issuer.token())) == "u1"
    issuer.rotate_key("k2")
    now += 10
    assert await outcome(verifier, encrypted(issuer.token())) == "u1"


async def test_the_issuer_is_asked_about_the_token_within(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True, feed="off", decryption_jwks=SET)
    token = issuer.token()
    assert await outcome(verifier, encrypted(token)) == "u1"
    assert issuer.introspections[0][1].startswith(b"token=" + token.encode())


def test_keys_of_no_use_are_refused_without_being_repeated() -> None:
    for document in ({"keys": []}, {"keys": [KEYS[0].as_dict(private=False)]}):
        with pytest.raises(ValueError, match="set"):
            Verifier("https://i.example", "orders", decryption_jwks=document)
    with pytest.raises(ValueError, match="opaque=True"):
        Verifier("https://i.example", "orders", api_key="sla_k", opaque=True, decryption_jwks=SET)
    assert repr(Decryption(json.dumps(SET).encode())) == "Decryption(['new', 'old'])"


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("joserfc") or name.endswith("jose.jwe")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Absent(), *sys.meta_path])
    with pytest.raises(ValueError, match=r"sealring-verify\[jwe\]"):
        Decryption(b"{}")


class _Absent:
    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name.startswith("joserfc"):
            raise ModuleNotFoundError(name=name)


def test_the_keys_can_come_from_a_file_that_the_environment_names(
    issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEALRING_ISSUER", issuer.url)
    monkeypatch.setenv("SEALRING_AUDIENCE", "orders")
    monkeypatch.setenv("SEALRING_DECRYPTION_JWKS_FILE", str(tmp_path / "keys.json"))
    with pytest.raises(ValueError, match="SEALRING_DECRYPTION_JWKS_FILE"):
        Verifier.from_environment()
    (tmp_path / "keys.json").write_text(json.dumps(SET))
    assert Verifier.from_environment().verify(encrypted(issuer.token())).sub == "u1"
