import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from sealring_verify.symmetric_secret import parse_symmetric_secret

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_an_api_is_added_with_its_key_shown_once(installed: Run) -> None:
    ran = installed("apis", "add", "parcels", "--scope", "parcels:read", "See parcels", "--claim", "roles")
    assert ran.exit_status == 0
    assert "SEALRING_API_KEY=sla_" in ran.out
    shown = installed("apis", "show", "parcels", "--json")
    assert "sla_" not in shown.out
    assert shown.json()["scopes"] == {"parcels:read": "See parcels"}


def test_apis_are_listed_the_issuer_among_them(installed: Run) -> None:
    apis = installed("apis", "list", "--json").json()["apis"]
    assert [api["identifier"] for api in apis] == ["http://localhost:8700", "orders"]
    assert installed("apis", "list").out.splitlines()[0].split()[0] == "API"


def test_personal_claims_and_long_lifetimes_need_the_dangerous_option(installed: Run) -> None:
    for refused, allowing in (
        (("--claim", "email"), "--insecure-allow-personal-claims"),
        (("--lifetime", "7200"), "--insecure-long-access-tokens"),
    ):
        assert installed("apis", "update", "orders", *refused).exit_status == 1
        ran = installed("apis", "update", "orders", *refused, allowing)
        assert ran.exit_status == 0
        assert "insecure_" in ran.out


def test_an_api_is_updated_by_what_is_named(installed: Run) -> None:
    before = installed("apis", "show", "orders", "--json").json()
    ran = installed("apis", "update", "orders", "--lifetime", "60", "--claim", "plan", "--json")
    assert ran.json() == before | {"access_token_lifetime": 60, "claims": ["plan"]}
    assert installed("apis", "update", "orders", "--no-claims", "--json").json()["claims"] == []
    assert installed("apis", "update", "orders").exit_status == 2


def test_a_secret_is_rotated_beside_the_one_before(installed: Run) -> None:
    ran = installed("apis", "rotate-secret", "orders")
    assert "SEALRING_API_KEY=sla_" in ran.out
    assert "stays good until the next rotation" in ran.out


def test_an_api_in_use_and_the_issuers_own_are_not_deleted(installed: Run) -> None:
    ran = installed("apis", "delete", "orders")
    assert ran.exit_status == 1
    assert "site" in ran.err
    assert installed("apis", "delete", "http://localhost:8700").exit_status == 1
    installed("clients", "delete", "site")
    assert installed("apis", "delete", "orders").out == "deleted orders\n"


def test_a_symmetric_api_is_added_with_its_secret_its_key_and_the_warning_shown_once(installed: Run) -> None:
    ran = installed("apis", "add", "parcels", "--scope", "parcels:read", "See parcels", "--symmetric")
    assert ran.exit_status == 0
    assert "SEALRING_API_KEY=sla_" in ran.out
    (secret,) = re.findall(r"^SEALRING_SYMMETRIC_SECRETS=(slh_\S{43})$", ran.out, re.MULTILINE)
    kid = parse_symmetric_secret(secret).kid
    assert f"key id {kid}, for the API parcels" in ran.out
    assert "WARNING: Whoever can verify these tokens can make them" in ran.out
    for shown in (installed("apis", "show", "parcels"), installed("keys", "list"), installed("apis", "list", "--json")):
        assert "slh_" not in shown.out
    assert kid in installed("keys", "list").out
    assert "HS256 of parcels" in installed("keys", "list").out


def test_json_has_the_secret_and_the_warning_too(installed: Run) -> None:
    adding = ("apis", "add", "parcels", "--scope", "parcels:read", "See parcels")
    made = installed(*adding, "--symmetric", "--json").json()
    assert made["api"]["access_token_signing_alg"] == "HS256"
    assert made["symmetric"]["symmetric_secret"].startswith("slh_")
    assert made["symmetric"]["api"] == "parcels"
    assert "Prefer ES256" in made["symmetric"]["warning"]
    other = installed("apis", "add", "letters", "--scope", "letters:read", "See letters", "--json").json()
    assert other["symmetric"] is None


def test_symmetric_is_an_algorithm_by_itself_and_for_new_apis_alone(installed: Run) -> None:
    both = installed("apis", "add", "parcels", "--scope", "parcels:read", "See", "--symmetric", "--alg", "ES256")
    assert (both.exit_status, "not both" in both.err) == (2, True)
    assert installed("apis", "add", "parcels", "--scope", "parcels:read", "See", "--alg", "HS256").exit_status == 2
    assert installed("apis", "update", "orders", "--symmetric").exit_status == 2


def test_an_api_with_opaque_tokens_is_added_and_stays_so(installed: Run) -> None:
    adding = ("apis", "add", "letters", "--scope", "letters:read", "See letters", "--format", "opaque")
    for other in (("--alg", "RS256"), ("--symmetric",)):
        ran = installed(*adding, *other)
        assert (ran.exit_status, "not signed" in ran.err) == (2, True)
    assert installed(*adding, "--claim", "email").exit_status == 0
    shown = installed("apis", "show", "letters")
    assert re.search(r"^format +opaque$", shown.out, re.MULTILINE)
    assert "ES256" not in shown.out
    assert installed("apis", "show", "orders", "--json").json()["access_token_format"] == "jwt"
    assert installed("apis", "update", "letters", "--format", "jwt").exit_status == 2


def test_an_api_is_added_with_keys_to_encrypt_to(installed: Run, tmp_path: Path) -> None:
    key = OKPKey.generate_key("X25519", {"kid": "k", "use": "enc"})
    (tmp_path / "public.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    (tmp_path / "private.json").write_text(json.dumps({"keys": [key.as_dict(private=True)]}))
    adding = ("apis", "add", "letters", "--scope", "letters:read", "See letters", "--claim", "email")
    refused = installed(*adding, "--encryption-jwks", str(tmp_path / "private.json"))
    assert (refused.exit_status, "private key" in refused.err) == (1, True)
    assert key.as_dict(private=True)["d"] not in refused.err + refused.out
    assert installed(*adding, "--encryption-jwks", str(tmp_path / "none.json")).exit_status == 2
    ran = installed(*adding, "--encryption-jwks", str(tmp_path / "public.json"))
    assert ran.exit_status == 0
    assert "a key of the API's own" in ran.out
    assert installed("apis", "update", "orders", "--encryption-jwks", str(tmp_path / "public.json")).exit_status == 1
