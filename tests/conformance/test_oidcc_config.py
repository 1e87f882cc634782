"""The plan oidcc-config: the metadata and the key set."""

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from conformance.conftest import Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRIVATE_PARTS: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


async def test_oidcc_discovery_endpoint_verification(suite: "Suite") -> None:
    response = await suite.http.get(f"{suite.issuer}/.well-known/openid-configuration")
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    told = response.json()
    assert told["issuer"] == suite.issuer
    required = {"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"}
    assert required <= told.keys()
    for name, value in told.items():
        if name.endswith(("_endpoint", "_uri")):
            assert urlsplit(value).scheme == "https", name
            assert not urlsplit(value).fragment, name
        if name.endswith(("_supported", "_required")):
            assert isinstance(value, list | bool), name
            assert value != [], name
    assert "code" in told["response_types_supported"]
    assert {"query", "form_post"} <= set(told["response_modes_supported"])
    assert {"authorization_code", "refresh_token"} <= set(told["grant_types_supported"])
    assert "RS256" in told["id_token_signing_alg_values_supported"]
    assert set(told["subject_types_supported"]) <= {"public", "pairwise"}
    assert "openid" in told["scopes_supported"]
    methods = set(told["token_endpoint_auth_methods_supported"])
    assert {"client_secret_basic", "client_secret_post", "private_key_jwt"} <= methods
    assert {"sub", "name", "email", "address", "phone_number", "updated_at"} <= set(told["claims_supported"])
    assert "none" not in told["token_endpoint_auth_signing_alg_values_supported"]


async def test_oidcc_discovery_says_that_request_objects_are_not_read(suite: "Suite") -> None:
    assert suite.metadata["request_parameter_supported"] is False
    assert suite.metadata["request_uri_parameter_supported"] is True
    assert suite.metadata["require_request_uri_registration"] is True
    assert "none" not in suite.metadata["request_object_signing_alg_values_supported"]
    assert "none" not in suite.metadata["request_object_signing_alg_values_supported"]


async def test_oidcc_discovery_tells_the_acr_that_id_tokens_bear(suite: "Suite") -> None:
    assert (await suite.sign_in())["claims"]["acr"] in suite.metadata["acr_values_supported"]


async def test_oidcc_validate_jwks(suite: "Suite") -> None:
    response = await suite.http.get(suite.metadata["jwks_uri"])
    assert response.status_code == 200
    assert re.match(r"application/(jwk-set\+)?json", response.headers["content-type"])
    keys = response.json()["keys"]
    kids = [key["kid"] for key in keys]
    assert len(set(kids)) == len(kids)
    assert all(not key.keys() & PRIVATE_PARTS for key in keys)
    assert {"kty", "use", "alg", "kid"} <= set.intersection(*(set(key) for key in keys))
    assert any(key["kty"] == "RSA" and key["use"] == "sig" and key["alg"] == "RS256" for key in keys)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_oidcc_tls_is_1_2_with_forward_secrecy_or_1_3(suite: "Suite", version: ssl.TLSVersion) -> None:
    trust = suite.installation.trust
    assert isinstance(trust, ssl.SSLContext)
    offered = ssl.create_default_context()
    offered.load_verify_locations(
        cadata="\n".join(ssl.DER_cert_to_PEM_cert(der) for der in trust.get_ca_certs(binary_form=True))
    )
    offered.minimum_version = offered.maximum_version = version
    _, writer = await asyncio.open_connection("localhost", suite.installation.port, ssl=offered)
    name, spoken, _ = writer.get_extra_info("cipher")
    writer.transport.abort()
    assert (spoken == "TLSv1.3") == (version == ssl.TLSVersion.TLSv1_3)
    assert re.fullmatch(r"TLS_(AES|CHACHA20)_.*|ECDHE-.*(GCM-SHA\d+|CHACHA20-POLY1305)", name)


async def test_oidcc_tls_1_2_without_ecdhe_and_aead_is_refused(suite: "Suite") -> None:
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    offered.check_hostname, offered.verify_mode = False, ssl.CERT_NONE
    offered.maximum_version = ssl.TLSVersion.TLSv1_2
    offered.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection("localhost", suite.installation.port, ssl=offered)
