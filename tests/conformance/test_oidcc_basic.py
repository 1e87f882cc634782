"""The plans oidcc-basic and oidcc-formpost-basic with static clients: a test for each module, by its name."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from conformance.conftest import Suite

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROFILE: Final = {
    *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
    *("website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
}
EMAIL: Final = {"email", "email_verified"}
PHONE: Final = {"phone_number", "phone_number_verified"}
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
NOT_LOGGED_IN: Final = (
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
)


async def test_oidcc_server(basic: "Suite") -> None:
    tokens = await basic.sign_in()
    assert (await basic.userinfo(tokens)).keys() == {"sub"}


async def test_oidcc_response_type_missing(basic: "Suite") -> None:
    page = await basic.authorize(response_type=None)
    if page.given is None:
        assert page.shows("oauth-error")
        assert page.path == "/authorize"
    else:
        basic.check_error(page, "unsupported_response_type", "invalid_request")


async def test_oidcc_userinfo_get(basic: "Suite") -> None:
    await basic.userinfo(await basic.sign_in())


async def test_oidcc_userinfo_post_header(basic: "Suite") -> None:
    tokens = await basic.sign_in()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    basic.check_userinfo(await basic.http.post(basic.metadata["userinfo_endpoint"], headers=headers), tokens)


async def test_oidcc_userinfo_post_body(basic: "Suite") -> None:
    tokens = await basic.sign_in()
    form = {"access_token": tokens["access_token"]}
    basic.check_userinfo(await basic.http.post(basic.metadata["userinfo_endpoint"], data=form), tokens)


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(basic: "Suite") -> None:
    tokens = await basic.sign_in(nonce=None)
    assert "nonce" not in tokens["claims"]


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("openid profile", PROFILE),
        ("openid email", EMAIL),
        ("openid address", {"address"}),
        ("openid phone", PHONE),
        ("openid profile email address phone", PROFILE | EMAIL | PHONE | {"address"}),
        ("email openid", EMAIL),
    ],
    ids=["profile", "email", "address", "phone", "all", "other_order"],
)
async def test_oidcc_scope(basic: "Suite", scope: str, wanted: set[str]) -> None:
    """The modules oidcc-scope-… and oidcc-ensure-other-scope-order-succeeds."""
    told = await basic.userinfo(await basic.sign_in(scope=scope))
    assert told.keys() == wanted | {"sub"}
    kinds: dict[str, type] = {"address": dict, "updated_at": int, "email_verified": bool, "phone_number_verified": bool}
    for name in wanted:
        assert type(told[name]) is kinds.get(name, str), name


@pytest.mark.parametrize("display", ["page", "popup"])
async def test_oidcc_display(basic: "Suite", display: str) -> None:
    await basic.sign_in(display=display)


async def test_oidcc_prompt_login(basic: "Suite") -> None:
    first = await basic.sign_in()
    await basic.wait(2)
    page = await basic.authorize(prompt="login")
    assert page.asked_for_log_in
    tokens = await basic.redeem(basic.check_answer(page)["code"])
    second = await basic.check_id_token(tokens)
    assert second["auth_time"] > first["claims"]["auth_time"]
    assert second["sub"] == first["claims"]["sub"]


async def test_oidcc_prompt_none_not_logged_in(basic: "Suite") -> None:
    page = await basic.authorize(prompt="none")
    assert page.visited in ([], ["form_post"])
    basic.check_error(page, *NOT_LOGGED_IN)


async def test_oidcc_prompt_none_logged_in(basic: "Suite") -> None:
    first = await basic.sign_in()
    await basic.wait(2)
    page = await basic.authorize(prompt="none")
    assert page.visited in ([], ["form_post"])
    second = await basic.check_id_token(await basic.redeem(basic.check_answer(page)["code"]))
    assert {name: second[name] for name in ("sub", "auth_time")} == {
        name: first["claims"][name] for name in ("sub", "auth_time")
    }


async def test_oidcc_max_age_1(basic: "Suite") -> None:
    first = await basic.sign_in()
    await basic.wait(3)
    page = await basic.authorize(max_age="1")
    assert page.asked_for_log_in
    second = await basic.check_id_token(await basic.redeem(basic.check_answer(page)["code"]))
    assert second["auth_time"] > first["claims"]["auth_time"]
    assert abs(second["auth_time"] - basic.now()) < 5


async def test_oidcc_max_age_10000(basic: "Suite") -> None:
    first = await basic.sign_in()
    await basic.wait(3)
    page = await basic.authorize(max_age="10000")
    assert not page.asked_for_log_in
    second = await basic.check_id_token(await basic.redeem(basic.check_answer(page)["code"]))
    assert second["auth_time"] == first["claims"]["auth_time"]


async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(basic: "Suite") -> None:
    await basic.sign_in(extra="foobar")


async def test_oidcc_id_token_hint(basic: "Suite") -> None:
    first = await basic.sign_in()
    page = await basic.authorize(prompt="none", id_token_hint=first["id_token"])
    assert page.visited in ([], ["form_post"])
    second = await basic.check_id_token(await basic.redeem(basic.check_answer(page)["code"]))
    assert second["sub"] == first["claims"]["sub"]


@pytest.mark.parametrize("login_hint", ["bob@example.com", "ada", "+44 20 7946 0000", "a<b>"])
async def test_oidcc_login_hint(basic: "Suite", login_hint: str) -> None:
    await basic.sign_in(login_hint=login_hint)


@pytest.mark.parametrize("locales", ["se", "fr-CA fr en", "en-GB"])
async def test_oidcc_ui_locales(basic: "Suite", locales: str) -> None:
    await basic.sign_in(ui_locales=locales)


async def test_oidcc_claims_locales(basic: "Suite") -> None:
    await basic.sign_in(claims_locales="se")


@pytest.mark.parametrize("acr_values", ["1 2", "urn:mace:incommon:iap:silver"])
async def test_oidcc_ensure_request_with_acr_values_succeeds(basic: "Suite", acr_values: str) -> None:
    assert (await basic.sign_in(acr_values=acr_values))["claims"]["acr"] == "1"


@pytest.mark.parametrize("seconds", [0, 31], ids=["codereuse", "codereuse_30seconds"])
async def test_oidcc_codereuse(basic: "Suite", seconds: int) -> None:
    code = await basic.code()
    tokens = await basic.redeem(code)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    endpoint = basic.metadata["userinfo_endpoint"]
    assert (await basic.http.get(endpoint, headers=headers)).status_code == 200
    if seconds:
        await basic.wait(seconds)
    again = await basic.ask_token(grant_type="authorization_code", code=code, redirect_uri=basic.redirect_uri)
    basic.check_refusal(again, "invalid_grant")
    assert (await basic.http.get(endpoint, headers=headers)).status_code == 401


async def test_oidcc_ensure_registered_redirect_uri(basic: "Suite") -> None:
    for uri in (f"{basic.redirect_uri}/other", f"{basic.redirect_uri}?dummy=1", "https://other.example/callback"):
        page = await basic.authorize(redirect_uri=uri)
        assert page.given is None
        assert page.path == "/authorize"
        assert page.shows("oauth-error")
        assert page.response.status_code == 400
        assert not page.response.history


async def test_oidcc_ensure_post_request_succeeds(basic: "Suite") -> None:
    await basic.sign_in(by="POST")


async def test_oidcc_server_client_secret_post(basic: "Suite") -> None:
    basic.client_id = "client_secret_post"
    await basic.sign_in()


async def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(basic: "Suite") -> None:
    page = await basic.authorize(request_uri=f"{basic.callback.origin}/request.jwt")
    basic.check_unsupported(page, "request_uri_not_supported")


async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(basic: "Suite") -> None:
    page = await basic.authorize(request=unsigned_jwt(basic.request(state="other", nonce="other")))
    basic.check_unsupported(page, "request_not_supported")


async def test_oidcc_ensure_request_object_with_redirect_uri(basic: "Suite") -> None:
    inside = basic.request(redirect_uri=f"{basic.redirect_uri}?inside")
    basic.check_unsupported(await basic.authorize(request=unsigned_jwt(inside)), "request_not_supported")


async def test_oidcc_claims_essential(basic: "Suite") -> None:
    told = await basic.userinfo(await basic.sign_in(claims=json.dumps({"userinfo": {"name": {"essential": True}}})))
    assert told.keys() == {"sub", "name"}


async def test_oidcc_claims_in_the_id_token_are_told_there(basic: "Suite") -> None:
    code = await basic.code(claims=json.dumps({"id_token": {"email": None}}))
    claims = await basic.read_jwt((await basic.redeem(code))["id_token"], alg="RS256")
    assert claims["email"] == "ada@people.example"


@pytest.mark.parametrize("offline", [False, True], ids=["openid", "offline_access"])
async def test_oidcc_refresh_token(basic: "Suite", *, offline: bool) -> None:
    assert "refresh_token" in basic.metadata["grant_types_supported"]
    scope, prompt = ("openid offline_access", "consent") if offline else ("openid", None)
    first = await basic.sign_in(scope=scope, prompt=prompt)
    await basic.wait(1)
    response = await basic.ask_token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert response.status_code == 200, response.text
    basic.check_token_response(response)
    second = response.json()
    assert second["access_token"] != first["access_token"]
    assert second["scope"].split() == sorted(scope.split())
    await basic.userinfo({**second, "claims": first["claims"]})
    if "id_token" in second:
        claims = await basic.check_id_token(second)
        same = ("iss", "sub", "aud", "auth_time")
        assert [claims[name] for name in same] == [first["claims"][name] for name in same]
        assert claims["iat"] >= first["claims"]["iat"]

    other = await basic.ask_token(
        client_id="client2", grant_type="refresh_token", refresh_token=second["refresh_token"]
    )
    basic.check_refusal(other, "invalid_grant")


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(basic: "Suite") -> None:
    challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    code = await basic.code(code_challenge=challenge, code_challenge_method="S256")
    await basic.redeem(code, code_verifier=VERIFIER)


async def test_a_code_with_a_challenge_is_worth_nothing_without_its_verifier(basic: "Suite") -> None:
    challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    code = await basic.code(code_challenge=challenge, code_challenge_method="S256")
    refused = await basic.ask_token(grant_type="authorization_code", code=code, redirect_uri=basic.redirect_uri)
    basic.check_refusal(refused, "invalid_grant")


async def test_a_person_who_refuses_sends_the_client_an_error_without_more(suite: "Suite") -> None:
    suite.refuse_consent = True
    suite.check_error(await suite.authorize(prompt="consent"), "access_denied")


def unsigned_jwt(claims: dict[str, str]) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
