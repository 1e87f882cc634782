"""Project Wycheproof's vectors. They are read from the folder named by WYCHEPROOF, or from beside the repository."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joserfc.jwk
import pytest

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url, jws
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwe import EncryptionKey, decrypt_compact
from sealring_verify.jose.jwk import make_secret_key
from sealring_verify.jose.jwks import KeySet, parse_jwks

_BESIDE = Path(__file__).parents[5] / "shared" / "vectors" / "wycheproof"
_FOLDER = Path(os.environ.get("WYCHEPROOF", _BESIDE))

pytestmark = pytest.mark.skipif(
    not _FOLDER.is_dir(), reason="Wycheproof's vectors are not here: set WYCHEPROOF to a folder that has them"
)

# Each policy by which we part from the set. What it marks invalid is never accepted, but where the last one says so.
POLICIES = {
    "HS384, HS512": "only SHA-256 goes with a secret here",
    "RS384, RS512, PS384, PS512": "only SHA-256 goes with RSA here",
    "ES512": "ES512 is not offered; twice the set's own key says ES521, which is no algorithm",
    "PS256": "the set's own mistake: 346 and 350 carry PS384 under a key that says PS256",
    "characters": "the set's own mistake: 372 and 373 are marked valid and contain a `?`",
    "identical": "the set's own mistake: 367 and 370 are marked invalid and are, octet by octet, the valid 357",
}
EXPECTED = {
    "json_web_signature_test.json": Counter(
        {
            "agree": 377,
            "RS384, RS512, PS384, PS512": 16,
            "ES512": 2,
            "PS256": 2,
            "identical": 2,
            "characters": 2,
        }
    ),
    "json_web_key_test.json": Counter({"agree": 24, "HS384, HS512": 2}),
    "json_web_crypto_test.json": Counter({"agree": 49}),
}


def _vectors(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for group in json.loads((_FOLDER / name).read_text())["testGroups"]:
        published = group.get("public") or group["private"]
        document = published if "keys" in published else {"keys": [published]}
        yield from ((document, vector) for vector in group["tests"])


def _text(token: str | dict[str, Any]) -> str:
    """Write a token as it is sent: some are objects, in JSON serialization."""
    return token if isinstance(token, str) else json.dumps(token)


def _accepted(token: str | dict[str, Any], document: dict[str, Any]) -> bool:
    try:
        keys, algorithms = _keys(document)
        jws.verify_compact(_text(token), keys=keys, algorithms=algorithms)
    except (InvalidToken, ValueError):
        return False
    return True


def _keys(document: dict[str, Any]) -> tuple[KeySet, frozenset[str]]:
    """Read a key set; one of secrets alone as an API's own, which no set that is fetched can have."""
    entries = document["keys"]
    if any(entry["kty"] != "oct" for entry in entries):
        return parse_jwks(json.dumps(document).encode()), ALGORITHMS
    fitting = [entry for entry in entries if entry.get("alg") == "HS256" and entry.get("use", "sig") == "sig"]
    fitting = [entry for entry in fitting if "verify" in entry.get("key_ops", ["verify"])]
    kids = [entry.get("kid") for entry in fitting]
    if len(kids) != len(set(kids)):
        return KeySet(()), frozenset()  # as parse_jwks has it
    secrets = [make_secret_key(base64url.decode(entry["k"].encode()), kid=entry.get("kid", "")) for entry in fitting]
    alone = len(secrets) == 1 and kids == [None]
    return KeySet([secret.verifying() for secret in secrets], without_ids=alone), frozenset({"HS256"})


def _policy(document: dict[str, Any], vector: dict[str, Any]) -> str | None:
    key, number = document["keys"][0], vector["tcId"]
    alg = key.get("alg", "")
    if key["kty"] == "oct" and alg in {"HS384", "HS512"}:
        return "HS384, HS512"
    if alg in {"RS384", "RS512", "PS384", "PS512"}:
        return "RS384, RS512, PS384, PS512"
    if key.get("crv") == "P-521":
        return "ES512"
    return {346: "PS256", 350: "PS256", 367: "identical", 370: "identical", 372: "characters", 373: "characters"}.get(
        number
    )


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_signed_vector_agrees_or_is_a_policy_in_the_table(name: str) -> None:
    verdicts: Counter[str] = Counter()
    for document, vector in _vectors(name):
        if "jws" not in vector:
            continue
        accepted = _accepted(vector["jws"], document)
        if accepted == (vector["result"] == "valid"):
            verdicts["agree"] += 1
            continue
        policy = _policy(document, vector)
        assert policy in POLICIES, vector
        assert not accepted or policy == "identical", vector
        verdicts[policy] += 1
    assert verdicts == EXPECTED[name]


def test_every_es256_and_hs256_vector_of_the_set_agrees() -> None:
    agreed: Counter[str] = Counter()
    for document, vector in _vectors("json_web_signature_test.json"):
        key = document["keys"][0]
        if key.get("crv") == "P-256" or key.get("alg") == "HS256":
            if vector["tcId"] not in {367, 370, 372, 373}:
                assert _accepted(vector["jws"], document) == (vector["result"] == "valid"), vector
            agreed[key["kty"]] += 1
    assert agreed == {"EC": 41, "oct": 40}


@pytest.mark.parametrize("name", ["json_web_encryption_test.json", "json_web_crypto_test.json"])
def test_no_encrypted_vector_is_taken_since_none_has_a_signed_token_within(name: str) -> None:
    """A policy for all of them: what is encrypted must say so (`cty` JWT) and name its key."""
    refused: Counter[str] = Counter()
    for document, vector in _vectors(name):
        if "jwe" not in vector:
            continue
        members = {name: value for name, value in document["keys"][0].items() if name not in {"use", "key_ops"}}
        alg = members.pop("alg")
        key = EncryptionKey(kid=str(members.get("kid")), alg=alg, material=joserfc.jwk.import_key(members))
        with pytest.raises(InvalidToken) as said:
            decrypt_compact(_text(vector["jwe"]), keys={key.kid: key})
        refused[said.value.code] += 1
    assert set(refused) <= {"token_malformed", "token_not_encrypted", "critical_header", "duplicate_member"}
    assert refused.total() in {139, 34}
