"""The plans oidcc-dynamic, but for its demand of implicit, and oidcc-3rdparty-init-login: a test for each module."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from conformance.conftest import Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

BY_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Key:
    """A key of a client that registers itself."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._private = ec.generate_private_key(ec.SECP256R1())

    def public(self) -> dict[str, Any]:
        numbers = self._private.public_key().public_numbers()
        x, y = (urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "use": "sig", "alg": "ES256"}

    def assertion(self, suite: "Suite", *, audience: str) -> str:
        now = int(suite.now())
        claims = {"iss": suite.client_id, "sub": suite.client_id, "aud": audience, "iat": now, "exp": now + 60}
        return jwt.encode({**claims, "jti": str(time.monotonic_ns())}, self._private, "ES256", {"kid": self.kid})


async def redeem_by_key(suite: "Suite", key: Key, *, audience: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": await suite.code(),
        "redirect_uri": suite.redirect_uri,
        "client_assertion_type": BY_ASSERTION,
        "client_assertion": key.assertion(suite, audience=audience),
    }
    answer = await suite.http.post(suite.metadata["token_endpoint"], data=form)
    assert answer.status_code == 200, answer.text
    suite.check_token_response(answer)
    return dict(answer.json())


def publish(suite: "Suite", path: str, document: object) -> str:
    suite.callback.documents[path] = json.dumps(document).encode()
    return suite.callback.origin + path


async def test_oidcc_registration_endpoint_is_published(suite: "Suite") -> None:
    assert suite.metadata["registration_endpoint"] == f"{suite.issuer}/register"


async def test_oidcc_server_registers_a_client_that_signs_in(suite: "Suite") -> None:
    told = await suite.register()
    assert told["client_secret_expires_at"] == 0
    tokens = await suite.sign_in()
    assert (await suite.userinfo(tokens)).keys() == {"sub"}


async def test_oidcc_dynamic_registration_is_read_replaced_and_deleted(suite: "Suite") -> None:
    told = await suite.register(initiate_login_uri="https://rp.example/login")
    bearer = {"Authorization": f"Bearer {told['registration_access_token']}"}
    read = await suite.http.get(told["registration_client_uri"], headers=bearer)
    assert (read.status_code, read.json()["initiate_login_uri"]) == (200, "https://rp.example/login")
    assert (await suite.http.delete(told["registration_client_uri"], headers=bearer)).status_code == 204
    assert (await suite.http.get(told["registration_client_uri"], headers=bearer)).status_code == 401
    assert (await suite.authorize()).shows("oauth-error")


async def test_oidcc_idtoken_rs256(suite: "Suite") -> None:
    await suite.register(id_token_signed_response_alg="RS256")
    await suite.sign_in()


async def test_oidcc_userinfo_rs256(suite: "Suite") -> None:
    await suite.register(userinfo_signed_response_alg="RS256")
    tokens = await suite.sign_in()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = await suite.http.get(suite.metadata["userinfo_endpoint"], headers=headers)
    assert answer.headers["content-type"].startswith("application/jwt")
    claims = await suite.read_jwt(answer.text, alg="RS256")
    assert (claims["iss"], claims["aud"], claims["sub"]) == (suite.issuer, suite.client_id, tokens["claims"]["sub"])


async def test_oidcc_redirect_uri_query_ok(suite: "Suite") -> None:
    uri = f"{suite.redirect_uri}?dummy1=lorem&dummy2=ipsum"
    await suite.register(redirect_uris=[uri])
    page = await suite.authorize(redirect_uri=uri)
    assert page.given is not None
    assert (page.given["dummy1"], page.given["dummy2"]) == ("lorem", "ipsum")
    await suite.redeem(page.given["code"], redirect_uri=uri)


@pytest.mark.parametrize("query", ["?dummy1=lorem&dummy2=dolor", "?dummy1=lorem", "", "?dummy1=lorem&dummy2=ipsum&x=1"])
async def test_oidcc_redirect_uri_query_mismatch_and_added(suite: "Suite", query: str) -> None:
    await suite.register(redirect_uris=[f"{suite.redirect_uri}?dummy1=lorem&dummy2=ipsum"])
    page = await suite.authorize(redirect_uri=suite.redirect_uri + query)
    assert page.shows("oauth-error")
    assert page.path == "/authorize"


async def test_oidcc_redirect_uri_regfrag(suite: "Suite") -> None:
    asked = {"redirect_uris": [f"{suite.redirect_uri}#fragment"]}
    answer = await suite.http.post(suite.metadata["registration_endpoint"], json=asked)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_redirect_uri", "invalid_client_metadata"}


async def test_oidcc_registration_policy_and_tos_are_shown_before_a_log_in(suite: "Suite") -> None:
    at = suite.callback.origin
    await suite.register(policy_uri=f"{at}/policy", tos_uri=f"{at}/tos")
    answer = await suite.browser.get(
        suite.metadata["authorization_endpoint"], params=suite.request(), follow_redirects=True
    )
    for element, address in (("client-policy", "policy"), ("client-tos", "tos")):
        assert f'id="{element}"' in answer.text
        assert f'href="{at}/{address}"' in answer.text


async def test_oidcc_registration_jwks_and_private_key_jwt_for_the_token_endpoint(suite: "Suite") -> None:
    key = Key("own")
    await suite.register(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key.public()]})
    await redeem_by_key(suite, key, audience=suite.metadata["token_endpoint"])
    await redeem_by_key(suite, key, audience=suite.issuer)


async def test_oidcc_registration_jwks_uri_and_its_rotation(suite: "Suite") -> None:
    first, second = Key("first"), Key("second")
    uri = publish(suite, "/keys", {"keys": [first.public()]})
    await suite.register(token_endpoint_auth_method="private_key_jwt", jwks_uri=uri)
    await redeem_by_key(suite, first, audience=suite.issuer)
    publish(suite, "/keys", {"keys": [second.public()]})
    await asyncio.sleep(1)
    await redeem_by_key(suite, second, audience=suite.issuer)


async def test_oidcc_registration_sector_uri(suite: "Suite") -> None:
    uri = publish(suite, "/sector", [suite.redirect_uri])
    await suite.register(sector_identifier_uri=uri, subject_type="pairwise")
    pairwise = (await suite.sign_in())["claims"]["sub"]
    await suite.register(subject_type="public")
    assert (await suite.sign_in(prompt="login"))["claims"]["sub"] != pairwise


async def test_oidcc_registration_sector_bad(suite: "Suite") -> None:
    uri = publish(suite, "/bad-sector", ["https://elsewhere.example/callback"])
    asked = {"redirect_uris": [suite.redirect_uri], "sector_identifier_uri": uri, "subject_type": "pairwise"}
    answer = await suite.http.post(suite.metadata["registration_endpoint"], json=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_oidcc_server_rotate_keys(suite: "Suite") -> None:
    await suite.register()
    before = await suite.sign_in()
    old = {key["kid"] for key in (await suite.http.get(suite.metadata["jwks_uri"])).json()["keys"]}
    assert (await suite.installation.run("keys", "rotate", "--alg", "RS256", "--force")).status == 0
    after = await suite.sign_in()
    kids = [jwt.get_unverified_header(tokens["id_token"])["kid"] for tokens in (before, after)]
    assert kids[0] != kids[1]
    # What was signed before is still verified.
    assert old <= {key["kid"] for key in (await suite.http.get(suite.metadata["jwks_uri"])).json()["keys"]}


def sign_request(suite: "Suite", private: rsa.RSAPrivateKey, **claims: object) -> None:
    """Let the suite's server have an authorization request that this key signed."""
    asked = {**suite.request(), "iss": suite.client_id, "aud": suite.issuer, **claims}
    suite.callback.documents["/request.jwt"] = jwt.encode(asked, private, "RS256", {"kid": "r"}).encode()


async def test_oidcc_request_uri_signed_rs256(suite: "Suite") -> None:
    private = rsa.generate_private_key(65537, 2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
    uri = f"{suite.callback.origin}/request.jwt"
    told = await suite.register(
        request_uris=[uri],
        request_object_signing_alg="RS256",
        jwks={"keys": [{**public, "kid": "r", "use": "sig", "alg": "RS256"}]},
    )
    assert told["request_uris"] == [uri]
    sign_request(suite, private, state="signed")
    beside = {"client_id": suite.client_id, "response_type": "code", "scope": "openid", "request_uri": uri}
    page = await suite.walk(suite.metadata["authorization_endpoint"], beside)
    assert page.given is not None, page.text
    assert page.given["state"] == "signed"
    claims = await suite.check_id_token(await suite.redeem(page.given["code"]))
    assert claims["nonce"] == "nonce-of-ten"
    foreign = rsa.generate_private_key(65537, 2048)
    sign_request(suite, foreign)
    page = await suite.walk(suite.metadata["authorization_endpoint"], beside)
    assert page.shows("oauth-error")
    assert "invalid_request_object" in page.text


async def test_oidcc_registration_says_nothing_of_unsigned_requests(suite: "Suite") -> None:
    """As the module oidcc-request-uri-unsigned registers: it is registered, and its request refused."""
    asked = {"redirect_uris": [suite.redirect_uri], "request_uris": [f"{suite.callback.origin}/request.jwt"]}
    answer = await suite.http.post(
        suite.metadata["registration_endpoint"], json={**asked, "request_object_signing_alg": "none"}
    )
    assert answer.status_code == 201
    assert not {"request_uris", "request_object_signing_alg"} & answer.json().keys()


async def test_oidcc_3rdparty_init_login_takes_no_http(suite: "Suite") -> None:
    asked = {"redirect_uris": [suite.redirect_uri], "initiate_login_uri": "http://rp.example/login"}
    answer = await suite.http.post(suite.metadata["registration_endpoint"], json=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_a_silent_request_is_granted_no_longer_than_its_session_lives(suite: "Suite") -> None:
    await suite.register()
    await suite.sign_in()
    suite.check_answer(await suite.authorize(prompt="none"))
    # One that may ask still asks.
    suite.refuse_consent = True
    assert "consent" in (await suite.authorize()).visited
    for session in json.loads((await suite.installation.run("sessions", "list", "--json")).out)["sessions"]:
        if session["client_id"] == suite.client_id:
            assert (await suite.installation.run("sessions", "end", session["sid"])).status == 0
    suite.check_error(await suite.authorize(prompt="none"), "consent_required", "login_required")
