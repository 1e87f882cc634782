"""Encrypted by Node's jose and read by us, and the other way round."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from sealring_verify.jose.jwe import decrypt_compact, encrypt_compact, parse_decryption_jwks, parse_encryption_jwks

if TYPE_CHECKING:
    from conftest import NodeLibraries

SIGNED: Final = "aGVhZA.cGF5bG9hZA.c2ln"
CASES: Final = (
    ("ECDH-ES", ECKey.generate_key("P-256")),
    ("ECDH-ES+A256KW", ECKey.generate_key("P-256")),
    ("ECDH-ES", OKPKey.generate_key("X25519")),
    ("ECDH-ES+A256KW", OKPKey.generate_key("X25519")),
    ("RSA-OAEP-256", RSAKey.generate_key(2048)),
    ("dir", OctKey.generate_key(256)),
)
MODULE: Final = """
import { CompactEncrypt, compactDecrypt, importJWK } from "jose";

const jwk = JWK;
const header = { alg: jwk.alg, enc: "A256GCM", cty: "JWT", kid: "one" };
const { d, p, q, dp, dq, qi, ...shown } = jwk;

export const encrypt = async (token) =>
  new CompactEncrypt(new TextEncoder().encode(token)).setProtectedHeader(header).encrypt(await importJWK(shown));

export async function decrypt(token) {
  const options = { keyManagementAlgorithms: [jwk.alg], contentEncryptionAlgorithms: ["A256GCM"] };
  const { plaintext, protectedHeader } = await compactDecrypt(token, await importJWK(jwk), options);
  return { token: new TextDecoder().decode(plaintext), cty: protectedHeader.cty, kid: protectedHeader.kid };
}
"""


@pytest.mark.parametrize(("alg", "key"), CASES, ids=[f"{alg}-{key.key_type}" for alg, key in CASES])
def test_each_reads_what_the_other_wrote(
    alg: str,
    key: Any,  # noqa: ANN401 -- four types
    node_libraries: "NodeLibraries",
    tmp_path: Path,
) -> None:
    private = {**key.as_dict(private=True), "use": "enc", "kid": "one", "alg": alg}
    module = MODULE.replace("JWK;", json.dumps(private) + ";", 1)
    (theirs,) = node_libraries.outcomes(module, [SIGNED], folder=tmp_path, name="encrypt")
    keys = parse_decryption_jwks(json.dumps({"keys": [private]}).encode())
    assert decrypt_compact(theirs["value"], keys=keys) == SIGNED
    if alg != "dir":  # a secret is never encrypted to
        public = {**key.as_dict(private=False), "use": "enc", "kid": "one", "alg": alg}
        (to,) = parse_encryption_jwks(json.dumps({"keys": [public]}).encode())
        (read,) = node_libraries.outcomes(module, [encrypt_compact(SIGNED, key=to)], folder=tmp_path, name="decrypt")
        assert read == {"value": {"token": SIGNED, "cty": "JWT", "kid": "one"}}
