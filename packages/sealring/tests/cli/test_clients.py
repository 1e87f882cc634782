import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealring_verify.jose.jwk import generate_private_key

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_a_client_is_added_with_a_secret_shown_once(installed: Run) -> None:
    ran = installed("clients", "add", "shop", "--allow", "orders", "orders:read orders:write", "--first-party")
    assert ran.exit_status == 0
    assert "slc_" in ran.out
    shown = installed("clients", "show", "shop", "--json")
    assert "slc_" not in shown.out
    assert sorted(shown.json()["allowed"]["orders"]) == ["orders:read", "orders:write"]


def test_a_public_client_gets_none(installed: Run) -> None:
    ran = installed("clients", "add", "page", "--public", "--origin", "https://shop.example", "--json")
    assert ran.json()["client_secret"] is None
    assert ran.json()["client"]["origins"] == ["https://shop.example"]


def test_clients_are_listed(installed: Run) -> None:
    lines = installed("clients", "list").out.splitlines()
    assert lines[0].split()[0] == "CLIENT"
    assert lines[1].split()[0] == "site"


def test_a_client_is_updated_by_what_is_named(installed: Run) -> None:
    before = installed("clients", "show", "site", "--json").json()
    ran = installed("clients", "update", "site", "--grace", "20", "--no-refresh", "--name", "The site", "--json")
    assert ran.json() == before | {"grace_window": 20, "refresh": False, "name": "The site", "taken_away": []}
    installed("clients", "update", "site", "--permission", "sessions:revoke", "--origin", "https://a.example")
    ran = installed("clients", "update", "site", "--no-permissions", "--no-origins", "--json")
    assert (ran.json()["permissions"], ran.json()["origins"]) == ([], [])
    assert installed("clients", "update", "site", "--no-apis", "--json").json()["allowed"] == {}


def test_an_update_of_nothing_is_misuse(installed: Run) -> None:
    assert installed("clients", "update", "site").exit_status == 2


def test_cookie_delivery_of_a_client_with_a_secret_is_refused_with_a_sentence(installed: Run) -> None:
    ran = installed("clients", "update", "site", "--delivery", "cookie")
    assert ran.exit_status == 1
    assert "register a public client" in ran.err


def test_a_secret_is_rotated_beside_the_one_before(installed: Run) -> None:
    ran = installed("clients", "rotate-secret", "site")
    assert "slc_" in ran.out
    assert "stays good until the next rotation" in ran.out


def test_a_client_is_disabled_enabled_and_deleted(installed: Run) -> None:
    said = installed("clients", "disable", "site").out
    assert said.startswith("disabled site; 0 sessions ended; api orders reads no feed: tokens may pass there until ")
    assert installed("clients", "enable", "site").out == "enabled site\n"
    assert installed("clients", "delete", "site").exit_status == 0
    ran = installed("clients", "show", "site")
    assert ran.exit_status == 1
    assert "no such client" in ran.err


def test_a_program_in_its_own_name_is_registered_and_shown(installed: Run) -> None:
    added = installed("clients", "add", "reports", "--client-credentials", "--allow", "orders", "orders:read", "--json")
    assert added.json()["client"]["client_credentials"] is True
    assert added.json()["client"]["token_endpoint_auth_method"] == "client_secret_basic"
    changed = installed("clients", "update", "reports", "--auth-method", "client_secret_post", "--json").json()
    assert (changed["token_endpoint_auth_method"], changed["client_credentials"]) == ("client_secret_post", True)
    shown = installed("clients", "show", "reports").out
    assert "client_secret_post" in shown
    without = installed("clients", "update", "reports", "--no-client-credentials", "--json").json()
    (taken,) = without.pop("taken_away")
    assert (taken["api"], taken["scopes"]) == ("orders", ["orders:read"])
    assert changed.pop("taken_away") == []
    assert without == changed | {"client_credentials": False}


def test_an_update_says_until_when_what_it_took_away_may_be_used_and_what_ends_it_now(installed: Run) -> None:
    installed("clients", "add", "reports", "--client-credentials", "--allow", "orders", "orders:read orders:write")
    assert "tokens issued before" not in installed("clients", "update", "reports", "--name", "Reports").out
    ran = installed("clients", "update", "reports", "--allow", "orders", "orders:read", "--json")
    (taken,) = ran.json()["taken_away"]
    assert (taken["api"], taken["scopes"]) == ("orders", ["orders:write"])
    assert 590 < taken["accepted_until"] / 1000 - time.time() <= 600
    said = installed("clients", "update", "reports", "--no-client-credentials").out.splitlines()
    assert re.fullmatch(
        r"tokens issued before may pass at api orders until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ with: orders:read", said[-2]
    )
    assert said[-1].startswith("`sealring clients rotate-secret reports --compromised` ends them now")


def test_a_public_client_is_told_of_an_act_that_it_can_take(installed: Run) -> None:
    installed("clients", "add", "page", "--public", "--allow", "orders", "orders:read orders:write")
    said = installed("clients", "update", "page", "--allow", "orders", "orders:read").out.splitlines()
    assert said[-1].startswith("`sealring clients disable page` and `enable` end them now")


def test_nobody_works_in_his_own_name_unless_it_was_said(installed: Run) -> None:
    assert installed("clients", "show", "site", "--json").json()["client_credentials"] is False
    ran = installed("clients", "add", "page", "--public", "--client-credentials")
    assert ran.exit_status == 1
    assert "cannot prove who it is" in ran.err


def test_what_takes_json_takes_no_secret_in_a_form(installed: Run) -> None:
    ran = installed("clients", "update", "site", "--auth-method", "client_secret_post")
    assert ran.exit_status == 1
    assert "client_secret_basic only" in ran.err


def test_a_client_of_keys_is_added_without_a_secret_and_shown(installed: Run, tmp_path: Path) -> None:
    key = generate_private_key("ES256", kid="one").public_jwk()
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key]}))
    ways = ("--auth-method", "private_key_jwt", "--jwks", str(tmp_path / "keys.json"))
    added = installed("clients", "add", "signer", *ways, "--auth-signing-alg", "ES256", "--json").json()
    assert added["client_secret"] is None
    assert added["client"]["token_endpoint_auth_method"] == "private_key_jwt"
    assert added["client"]["secrets"] == 0
    said = installed("clients", "show", "signer").out
    assert re.search(r"assertions signed with +ES256", said)
    assert re.search(r"assertions name +issuer\n", said)
    uri = ("--jwks-uri", "https://signer.example/jwks", "--token-endpoint-audience")
    moved = installed("clients", "update", "signer", *uri, "--json").json()
    assert (moved["jwks"], moved["jwks_uri"]) == (None, "https://signer.example/jwks")
    assert "issuer or token endpoint" in installed("clients", "show", "signer").out


def test_a_client_of_keys_has_no_secret_to_rotate(installed: Run) -> None:
    ways = ("--auth-method", "private_key_jwt", "--jwks-uri", "https://signer.example/jwks")
    assert installed("clients", "add", "signer", *ways).exit_status == 0
    ran = installed("clients", "rotate-secret", "signer")
    assert ran.exit_status == 1
    assert "proves itself by its keys" in ran.err


def test_keys_that_cannot_be_used_are_refused_with_a_sentence(installed: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"keys":[]}')
    ways = ("--auth-method", "private_key_jwt", "--jwks")
    ran = installed("clients", "add", "signer", *ways, str(tmp_path / "empty.json"))
    assert ran.exit_status == 1
    assert "no public key that can sign" in ran.err
    assert installed("clients", "add", "signer", *ways, str(tmp_path / "missing.json")).exit_status == 2


def test_a_client_of_the_code_flow_is_added_shown_changed_and_ended(installed: Run) -> None:
    ways = ("--redirect-uri", "https://app.example/cb", "--redirect-uri", "https://app.example/cb2", "--skip-consent")
    pages = ("--client-uri", "https://app.example/", "--initiate-login-uri", "https://app.example/login")
    after = (
        "--post-logout-redirect-uri",
        "https://app.example/bye",
        "--backchannel-logout-uri",
        "https://app.example/b",
    )
    added = installed("clients", "add", "app", *ways, *pages, *after, "--insecure-no-pkce", "--json").json()["client"]
    flow = added["code_flow"]
    assert flow["redirect_uris"] == ["https://app.example/cb", "https://app.example/cb2"]
    assert (flow["require_pkce"], flow["consent"], flow["application_type"]) == (False, "skip", "web")
    assert added["pages"]["client_uri"] == "https://app.example/"
    assert added["logout"]["post_logout_redirect_uris"] == ["https://app.example/bye"]
    card = installed("clients", "show", "app").out
    assert re.search(r"PKCE +NOT required", card)
    assert re.search(r"hears of log-out at +https://app\.example/b\n", card)
    words = ("--no-insecure-no-pkce", "--sector", "app.example", "--userinfo-alg", "ES256", "--native")
    changed = installed("clients", "update", "app", *words, "--no-post-logout-redirect-uris", "--json").json()
    assert changed["code_flow"] == flow | {
        "require_pkce": True,
        "sector_identifier": "app.example",
        "userinfo_signed_response_alg": "ES256",
        "application_type": "native",
    }
    assert changed["logout"]["post_logout_redirect_uris"] == []
    assert installed("clients", "update", "app", "--no-redirect-uris", "--json").json()["code_flow"] is None


def test_a_public_client_is_not_freed_of_pkce(installed: Run) -> None:
    ways = ("--redirect-uri", "https://app.example/cb", "--insecure-no-pkce")
    ran = installed("clients", "add", "app", "--public", *ways)
    assert ran.exit_status == 1
    assert "always uses PKCE" in ran.err
