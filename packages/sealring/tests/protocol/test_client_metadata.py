import json
from typing import Any

import msgspec
import pytest

from sealring.protocol.client import AssertionTerms, Client, CodeFlow
from sealring.protocol.client_metadata import ClientMetadata, client_of_metadata
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.json_object import parse_json_object
from sealring_verify.jose.jwk import generate_private_key

NOW = Instant(1_700_000_000_000)
URI = "https://shop.example/callback"


def made(*, require_pkce: bool = True, **members: Any) -> Client | OAuthError:  # noqa: ANN401 -- JSON
    said = parse_json_object(json.dumps({"redirect_uris": [URI], **members}).encode(), ClientMetadata)
    if isinstance(said, OAuthError):
        return said
    return client_of_metadata(said, client_id="c1", require_pkce=require_pkce, now=NOW)


def client(*, require_pkce: bool = True, **members: Any) -> Client:  # noqa: ANN401 -- JSON
    outcome = made(require_pkce=require_pkce, **members)
    assert isinstance(outcome, Client), outcome
    return outcome


def test_a_redirect_uri_is_enough_for_a_confidential_client_of_the_safe_kind() -> None:
    expected = Client(
        client_id="c1",
        name="c1",
        type="confidential",
        allowed={},
        refresh=False,
        code_flow=CodeFlow(redirect_uris=(URI,)),
        epoch=NOW // 1000,
        created_at=NOW,
    )
    assert client() == expected


def test_what_is_not_known_here_is_not_looked_at() -> None:
    assert (
        client(first_party=True, consent="skip", require_pkce_="no", allowed={"orders": ["x"]}, permissions=["x"])
        == client()
    )
    assert client(**{"client_name#de": "Laden", "software_statement": 3}) == client()


def test_null_is_as_good_as_absent() -> None:
    nothing = dict.fromkeys(set(ClientMetadata.__struct_fields__) - {"redirect_uris"})
    assert client(**nothing) == client()


def test_all_that_may_be_said_is_kept() -> None:
    said = client(
        client_name="Shop <b>",
        application_type="web",
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_post",
        client_uri="https://shop.example/",
        logo_uri="https://shop.example/logo.png",
        policy_uri="https://shop.example/policy",
        tos_uri="https://shop.example/tos",
        initiate_login_uri="https://shop.example/login",
        contacts=["ops@shop.example"],
        subject_type="pairwise",
        id_token_signed_response_alg="ES256",
        userinfo_signed_response_alg="RS256",
        default_max_age=300,
        require_auth_time=True,
        default_acr_values=["1"],
        post_logout_redirect_uris=["https://shop.example/bye"],
        backchannel_logout_uri="https://shop.example/logout",
        backchannel_logout_session_required=True,
    )
    assert said.code_flow == CodeFlow(
        redirect_uris=(URI,),
        id_token_signed_response_alg="ES256",
        userinfo_signed_response_alg="RS256",
        sector_identifier="shop.example",
        default_max_age=300,
        require_auth_time=True,
        default_acr_values=("1",),
    )
    assert (said.name, said.refresh, said.secret_method) == ("Shop <b>", True, "client_secret_post")
    assert said.pages.contacts == ("ops@shop.example",)
    assert said.logout.backchannel_logout_session_required


def test_a_public_client_uses_pkce_whatever_the_house_asks() -> None:
    public = client(require_pkce=False, token_endpoint_auth_method="none")
    assert public.code_flow is not None
    assert (public.type, public.code_flow.require_pkce) == ("public", True)
    confidential = client(require_pkce=False).code_flow
    assert confidential is not None
    assert not confidential.require_pkce


def test_a_client_of_keys_may_name_the_token_endpoint() -> None:
    key = generate_private_key("ES256", kid="one").public_jwk()
    said = client(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key]})
    assert said.assertion == AssertionTerms(token_endpoint_audience=True)
    assert json.loads(said.jwks or "") == {"keys": [key]}


def test_the_sector_is_the_host_of_its_document_or_of_the_redirect_uris() -> None:
    uris = ["https://a.example/cb", "https://b.example/cb"]
    named = client(redirect_uris=uris, subject_type="pairwise", sector_identifier_uri="https://sector.example/uris")
    assert named.code_flow is not None
    assert named.code_flow.sector_identifier == "sector.example"
    assert named.code_flow.sector_identifier_uri == "https://sector.example/uris"
    public = client(redirect_uris=uris, sector_identifier_uri="https://sector.example/uris").code_flow
    assert public is not None
    assert public.sector_identifier is None


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://shop.example/#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["data:text/html,x"], "application_type": "native"}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://shop.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"https://shop.example/{n}" for n in range(33)]}, "invalid_redirect_uri"),
        ({"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
        ({"grant_types": []}, "invalid_client_metadata"),
        ({"response_types": []}, "invalid_client_metadata"),
        ({"client_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
        ({"logo_uri": "data:image/png,x"}, "invalid_client_metadata"),
        ({"initiate_login_uri": "http://shop.example/login"}, "invalid_client_metadata"),
        ({"client_name": "evil\u202e"}, "invalid_client_metadata"),
        ({"client_name": "x" * 129}, "invalid_client_metadata"),
        ({"jwks_uri": "http://127.0.0.1/keys"}, "invalid_client_metadata"),
        ({"jwks": {}, "jwks_uri": "https://shop.example/keys"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"sector_identifier_uri": "http://sector.example/"}, "invalid_client_metadata"),
        ({"redirect_uris": [URI, "https://b.example/"], "subject_type": "pairwise"}, "invalid_client_metadata"),
        ({"backchannel_logout_uri": "http://shop.example/"}, "invalid_client_metadata"),
        ({"post_logout_redirect_uris": ["javascript:x"]}, "invalid_client_metadata"),
        ({"default_max_age": -1}, "invalid_client_metadata"),
        ({"contacts": [""]}, "invalid_client_metadata"),
    ],
)
def test_what_cannot_be_registered_is_refused_in_the_words_of_the_rfc(members: dict[str, Any], code: str) -> None:
    outcome = made(**members)
    assert isinstance(outcome, OAuthError)
    assert (outcome.code, outcome.error, outcome.status) == (code, code, 400)
    assert outcome.description.isascii()


@pytest.mark.parametrize("name", ClientMetadata.__struct_fields__)
@pytest.mark.parametrize("value", [[1], {"a": 1}, 1.5, "\x00"])
def test_no_member_takes_a_value_of_another_type(name: str, value: object) -> None:
    if (name, value) == ("jwks", {"a": 1}):
        return
    assert isinstance(made(**{name: value}), OAuthError)


@pytest.mark.parametrize(
    "members",
    [
        {"response_types": ["code id_token"]},
        {"grant_types": ["authorization_code", "implicit"]},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"userinfo_signed_response_alg": "none"},
        {"subject_type": "secret"},
        {"application_type": "desktop"},
    ],
)
def test_what_is_not_done_here_is_not_registered(members: dict[str, Any]) -> None:
    assert isinstance(made(**members), OAuthError)


def test_a_doubled_name_is_refused() -> None:
    body = msgspec.json.encode({"redirect_uris": [URI]})[:-1] + b',"redirect_uris":["https://evil.example/"]}'
    assert isinstance(parse_json_object(body, ClientMetadata), OAuthError)
