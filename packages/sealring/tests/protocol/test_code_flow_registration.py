import msgspec
import pytest

from sealring.protocol.client import Client, ClientLogout, ClientPages, CodeFlow
from sealring.protocol.client_registration import (
    ClientChange,
    ClientRegistration,
    parse_client_change,
    parse_client_registration,
)
from sealring.protocol.code_flow_registration import CodeFlowChosen, LogoutChosen, PagesChosen
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant

NOW = Instant(1_700_000_000_000)
URI = "https://shop.example/callback"
SHOP = ClientRegistration(
    client_id="shop", type="confidential", allowed={}, code_flow=CodeFlowChosen(redirect_uris=(URI,))
)


def parsed(**members: object) -> Client | OAuthError:
    return parse_client_registration(msgspec.structs.replace(SHOP, **members), known={}, now=NOW)


def changed(client: Client, **members: object) -> Client | OAuthError:
    return parse_client_change(client, ClientChange(client_id="shop", **members), known={})  # type: ignore[arg-type] - names by the case


def shop(**members: object) -> Client:
    client = parsed(**members)
    assert isinstance(client, Client), client
    return client


def flow(**members: object) -> dict[str, object]:
    return {"code_flow": CodeFlowChosen(**{"redirect_uris": (URI,), **members})}  # type: ignore[arg-type] - names by the case


def test_a_redirect_uri_turns_the_code_flow_on_with_the_safe_defaults() -> None:
    assert shop().code_flow == CodeFlow(redirect_uris=(URI,))
    assert (CodeFlow(redirect_uris=(URI,)).require_pkce, CodeFlow(redirect_uris=(URI,)).consent) == (True, "ask")


def test_without_one_there_is_none() -> None:
    assert shop(code_flow=None).code_flow is None
    assert shop(code_flow=CodeFlowChosen(redirect_uris=())).code_flow is None


@pytest.mark.parametrize(
    "members",
    [
        {"code_flow": CodeFlowChosen(id_token_signed_response_alg="ES256")},
        {"code_flow": None, "logout": LogoutChosen(post_logout_redirect_uris=("https://shop.example/",))},
        {"code_flow": None, "pages": PagesChosen(client_uri="https://shop.example/")},
        flow(redirect_uris=("http://shop.example/callback",)),
        flow(redirect_uris=("https://shop.example/#part",)),
        flow(redirect_uris=("javascript:alert(1)",)),
        flow(redirect_uris=("data:text/html,hello",), application_type="native"),
        flow(redirect_uris=("com.example.shop:/callback",)),
        flow(redirect_uris=(URI, URI)),
        flow(redirect_uris=tuple(f"{URI}{n}" for n in range(33))),
        {"type": "public", **flow(require_pkce=False)},
        flow(sector_identifier="https://shop.example"),
        flow(sector_identifier="Shop.example"),
        flow(default_max_age=-1),
        flow(default_acr_values=("",)),
        flow(default_acr_values=tuple(map(str, range(17)))),
        {"logout": LogoutChosen(post_logout_redirect_uris=("http://shop.example/",))},
        {"logout": LogoutChosen(backchannel_logout_uri="http://shop.example/logout")},
        {"logout": LogoutChosen(backchannel_logout_uri="http://127.0.0.1/logout")},
        {"logout": LogoutChosen(backchannel_logout_uri="https://shop.example/logout#part")},
        {"pages": PagesChosen(client_uri="javascript:alert(1)")},
        {"pages": PagesChosen(logo_uri="data:image/svg+xml,x")},
        {"pages": PagesChosen(policy_uri="http://shop.example/policy")},
        {"pages": PagesChosen(tos_uri='https://shop.example/"><script>')},
        {"pages": PagesChosen(initiate_login_uri="http://shop.example/login")},
        {"pages": PagesChosen(client_uri="https://user@shop.example/")},
        {"pages": PagesChosen(contacts=("evil\x1b[2J",))},
    ],
)
def test_a_code_flow_that_does_not_hold_together_is_refused(members: dict[str, object]) -> None:
    outcome = parsed(**members)
    assert isinstance(outcome, OAuthError)
    assert outcome.code == "invalid_registration"
    assert outcome.description.isascii()


def test_a_log_out_may_lead_to_this_machine() -> None:
    logout = LogoutChosen(post_logout_redirect_uris=("http://127.0.0.1:8080/bye",))
    assert shop(logout=logout).logout == ClientLogout(post_logout_redirect_uris=("http://127.0.0.1:8080/bye",))


def test_a_native_application_may_have_a_scheme_of_its_own() -> None:
    native = flow(redirect_uris=("com.example.shop:/callback",), application_type="native")
    assert shop(type="public", **native).code_flow is not None


def test_a_confidential_client_may_do_without_pkce_where_it_was_said() -> None:
    assert shop(**flow(require_pkce=False)).code_flow == CodeFlow(redirect_uris=(URI,), require_pkce=False)


def test_a_change_leaves_what_it_does_not_name_and_takes_away_what_is_empty() -> None:
    chosen = flow(sector_identifier="shop.example", userinfo_signed_response_alg="RS256", consent="skip")
    client = shop(**chosen, pages=PagesChosen(client_uri="https://shop.example/", logo_uri="https://shop.example/l"))
    renamed = changed(client, name="Shop", code_flow=CodeFlowChosen(sector_identifier=""))
    assert isinstance(renamed, Client)
    assert renamed.code_flow == CodeFlow(redirect_uris=(URI,), userinfo_signed_response_alg="RS256", consent="skip")
    plain = changed(
        renamed, code_flow=CodeFlowChosen(userinfo_signed_response_alg="none"), pages=PagesChosen(logo_uri="")
    )
    assert isinstance(plain, Client)
    assert plain.code_flow == CodeFlow(redirect_uris=(URI,), consent="skip")
    assert plain.pages == ClientPages(client_uri="https://shop.example/")


def test_without_redirect_uris_everything_of_the_code_flow_ends() -> None:
    client = shop(pages=PagesChosen(client_uri="https://shop.example/"))
    ended = changed(client, code_flow=CodeFlowChosen(redirect_uris=()))
    assert isinstance(ended, Client)
    assert (ended.code_flow, ended.logout, ended.pages) == (None, ClientLogout(), ClientPages())


def test_a_public_client_is_never_freed_of_pkce_by_a_change() -> None:
    outcome = changed(shop(type="public"), code_flow=CodeFlowChosen(require_pkce=False))
    assert isinstance(outcome, OAuthError)
    assert outcome.code == "invalid_registration"


def test_signed_requests_lie_at_https_addresses_of_clients_with_keys() -> None:
    uris = ("https://shop.example/request.jwt#hash",)
    client = shop(**flow(request_uris=uris, request_object_signing_alg="ES256"), jwks_uri="https://shop.example/keys")
    assert client.code_flow is not None
    assert (client.code_flow.request_uris, client.code_flow.request_object_signing_alg) == (uris, "ES256")
    assert isinstance(parsed(**flow(request_uris=uris)), OAuthError)
    for wrong in ("http://shop.example/r", "https://a@shop.example/r", "urn:x", ""):
        refused = parsed(**flow(request_uris=(wrong,)), jwks_uri="https://shop.example/keys")
        assert isinstance(refused, OAuthError)
        assert "request URI" in refused.description
