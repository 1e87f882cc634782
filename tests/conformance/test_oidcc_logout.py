"""The plans oidcc-rp-initiated-logout and oidcc-backchannel-rp-initiated-logout: a test for each module."""

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import jwt
import pytest

if TYPE_CHECKING:
    from conformance.conftest import Page, Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
SOON: Final = 5  # seconds


async def check_session_is_over(suite: "Suite") -> None:
    suite.check_error(await suite.authorize(prompt="none"), "login_required", "interaction_required")


def check_stayed(suite: "Suite", page: "Page") -> None:
    """An error or a page of the server's own: nothing was brought to any client."""
    assert page.given is None
    assert page.url.startswith(suite.issuer)
    assert page.shows("oauth-error") or page.shows("logged-out")


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(suite: "Suite") -> None:
    assert suite.metadata["end_session_endpoint"].startswith("https://")


async def test_oidcc_rp_initiated_logout(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    page = await suite.log_out(
        id_token_hint=tokens["id_token"], post_logout_redirect_uri=suite.post_logout_redirect_uri, state="bye"
    )
    assert page.url.startswith(suite.post_logout_redirect_uri)
    assert page.given == {"state": "bye"}
    await check_session_is_over(suite)


async def test_oidcc_rp_initiated_logout_no_state(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    page = await suite.log_out(
        id_token_hint=tokens["id_token"], post_logout_redirect_uri=suite.post_logout_redirect_uri
    )
    assert page.url == suite.post_logout_redirect_uri
    assert page.given == {}
    await check_session_is_over(suite)


async def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    page = await suite.log_out(
        id_token_hint=tokens["id_token"], post_logout_redirect_uri=f"{suite.callback.origin}/bad", state="bye"
    )
    check_stayed(suite, page)


async def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    page = await suite.log_out(
        id_token_hint=tokens["id_token"], post_logout_redirect_uri=f"{suite.post_logout_redirect_uri}?foo=bar"
    )
    check_stayed(suite, page)


async def test_oidcc_rp_initiated_logout_modified_id_token_hint(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    parts = ({"alg": "none"}, {**claims, "sub": "somebody else"})
    unsigned = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
    page = await suite.log_out(id_token_hint=unsigned, post_logout_redirect_uri=suite.post_logout_redirect_uri)
    check_stayed(suite, page)


async def test_oidcc_rp_initiated_logout_bad_id_token_hint(suite: "Suite") -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    tokens = await suite.sign_in()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    header = jwt.get_unverified_header(tokens["id_token"])
    foreign = rsa.generate_private_key(65537, 2048)
    signed = jwt.encode(claims, foreign, algorithm="RS256", headers={"kid": header["kid"]})
    page = await suite.log_out(id_token_hint=signed, post_logout_redirect_uri=suite.post_logout_redirect_uri)
    check_stayed(suite, page)


async def test_oidcc_rp_initiated_logout_no_id_token_hint(suite: "Suite") -> None:
    await suite.sign_in()
    page = await suite.log_out(post_logout_redirect_uri=suite.post_logout_redirect_uri, state="bye")
    check_stayed(suite, page)


@pytest.mark.parametrize("parameters", [{}, {"state": "bye"}], ids=["no_params", "only_state"])
async def test_oidcc_rp_initiated_logout_without_more(suite: "Suite", parameters: dict[str, str]) -> None:
    """The modules oidcc-rp-initiated-logout-no-params and -only-state."""
    await suite.sign_in()
    page = await suite.log_out(**parameters)
    assert page.given is None
    assert page.path == "/logged-out"
    assert page.shows("logged-out")
    await check_session_is_over(suite)


async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    page = await suite.log_out(id_token_hint=tokens["id_token"], state="bye")
    assert page.given is None
    assert page.shows("logged-out")
    await check_session_is_over(suite)


async def test_oidcc_backchannel_rp_initiated_logout_discovery_endpoint_verification(suite: "Suite") -> None:
    assert suite.metadata["backchannel_logout_supported"] is True
    assert suite.metadata["backchannel_logout_session_supported"] is True


async def test_oidcc_backchannel_rp_initiated_logout(suite: "Suite") -> None:
    tokens = await suite.sign_in()
    sid = tokens["claims"]["sid"]
    page = await suite.log_out(
        id_token_hint=tokens["id_token"], post_logout_redirect_uri=suite.post_logout_redirect_uri, state="bye"
    )
    assert page.given == {"state": "bye"}
    claims = await asyncio.wait_for(logout_token_of(suite, sid), SOON)
    assert claims["iss"] == suite.issuer
    assert claims["aud"] in ("client", ["client"])
    assert abs(claims["iat"] - suite.now()) < SOON
    assert claims["exp"] > suite.now()
    assert claims["jti"]
    assert claims["events"] == {EVENT: {}}
    assert claims["sub"] == tokens["claims"]["sub"]
    assert "nonce" not in claims
    await check_session_is_over(suite)


async def logout_token_of(suite: "Suite", sid: str) -> dict[str, object]:
    """Wait for the logout token of a session, and check each on the way as a request and by its signature."""
    while True:
        head, body = await suite.callback.logouts.get()
        assert head.startswith("POST /test/a/sealring/backchannel_logout HTTP/1.1")
        assert "content-type: application/x-www-form-urlencoded" in head.lower()
        form = parse_qs(body, strict_parsing=True)
        assert form.keys() == {"logout_token"}
        [token] = form["logout_token"]
        assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
        claims = await suite.read_jwt(token, alg="RS256")
        # A module before this one may have ended sessions too.
        if claims["sid"] == sid:
            return claims
