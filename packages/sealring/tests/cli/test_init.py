import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_an_installation_is_made_in_a_file_of_under_20_lines(run: Run) -> None:
    ran = run("init", "--yes", "--api", "orders", "--issuer", "https://auth.example.com")
    assert ran.exit_status == 0
    text = Path("sealring.toml").read_text()
    assert len(text.splitlines()) < 20
    written = tomllib.loads(text)
    assert written["issuer"] == "https://auth.example.com"
    assert written["server"] == {"host": "127.0.0.1", "port": 8700}
    for shown in ("SEALRING_API_KEY=sla_", "slc_", "https://auth.example.com/admin/enroll#slk_", "sealring serve"):
        assert shown in ran.out


def test_the_master_key_is_private_and_outside_the_data(run: Run) -> None:
    run("init", "--yes")
    key = Path("secrets/master.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not list(Path("data").rglob("*.key"))


def test_a_loopback_issuers_port_is_listened_on(run: Run) -> None:
    run("init", "--yes", "--issuer", "http://localhost:9123")
    assert tomllib.loads(Path("sealring.toml").read_text())["server"]["port"] == 9123


def test_what_was_made_is_registered(run: Run) -> None:
    asked = ("--recipe", "backend", "--api", "https://api.example.com/orders", "--client", "shop")
    made = run("init", "--yes", *asked, "--json").json()
    assert made["api"]["api"]["scopes"].keys() == {"read", "write"}
    client = run("clients", "show", "shop", "--json").json()
    assert client["first_party"]
    assert client["permissions"] == []
    assert client["allowed"].keys() == {"https://api.example.com/orders", "http://localhost:8700"}


def test_a_back_end_that_checks_its_users_itself_may_open_sessions_for_them(run: Run) -> None:
    run("init", "--yes", "--recipe", "backend", "--api", "orders", "--users", "asserted")
    client = run("clients", "show", "site", "--json").json()
    assert sorted(client["permissions"]) == ["sessions:create", "sessions:revoke"]


@pytest.mark.parametrize("recipe", ["backend", "program"])
def test_what_calls_nothing_yet_is_not_registered_yet(run: Run, recipe: str) -> None:
    made = run("init", "--yes", "--recipe", recipe, "--json").json()
    assert (made["api"], made["client"]) == (None, None)


@pytest.mark.parametrize(
    ("issuer", "site"),
    [
        ("https://app.example.com/auth", "https://app.example.com"),
        ("http://localhost:8700", "http://localhost:5000"),
    ],
)
def test_a_site_gets_a_secret_and_its_callback(run: Run, issuer: str, site: str) -> None:
    ran = run("init", "--yes", "--issuer", issuer)
    assert f"people come back to {site}/.sealring/callback" in ran.out
    client = run("clients", "show", "site", "--json").json()
    assert client["type"] == "confidential"
    assert client["code_flow"]["require_pkce"]
    assert client["logout"]["post_logout_redirect_uris"] == [f"{site}/"]


def test_a_page_gets_its_refresh_token_by_cookie_and_has_no_secret(run: Run) -> None:
    ran = run("init", "--yes", "--recipe", "page", "--api", "orders", "--issuer", "https://app.example.com/auth")
    assert "slc_" not in ran.out
    client = run("clients", "show", "site", "--json").json()
    assert (client["type"], client["token_delivery"]) == ("public", "cookie")
    assert client["origins"] == ["https://app.example.com"]
    assert client["allowed"].keys() == {"orders"}
    assert sorted(client["allowed"]["orders"]) == ["orders:read", "orders:write"]


def test_a_proxy_gets_a_gate_and_its_key(run: Run) -> None:
    asked = ("--api", "orders", "--issuer", "https://id.example.com", "--site", "https://app.example.com")
    ran = run("init", "--yes", "--recipe", "proxy", *asked)
    assert "Sealring-Gate-Key: slg_" in ran.out
    (gate,) = run("gates", "list", "--json").json()["gates"]
    assert (gate["host"], gate["api"]) == ("app.example.com", "orders")
    assert sorted(gate["scopes"]) == ["orders:read", "orders:write"]
    assert "site" not in {client["client_id"] for client in run("clients", "list", "--json").json()["clients"]}


def test_a_program_works_in_its_own_name(run: Run) -> None:
    run("init", "--yes", "--recipe", "program", "--api", "orders")
    client = run("clients", "show", "site", "--json").json()
    assert (client["client_credentials"], client["refresh"], client["first_party"]) == (True, False, False)


def test_the_four_questions_are_asked_and_answered(run: Run) -> None:
    ran = run("init", stdin="backend\norders\nself\nhttps://auth.example.com\n")
    assert ran.exit_status == 0
    assert [ran.out.count(f"{number}. ") for number in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert run("apis", "show", "orders", "--json").json()["identifier"] == "orders"


def test_empty_answers_are_the_defaults(run: Run) -> None:
    assert run("init", stdin="\n\n\n\n").exit_status == 0
    assert run("status", "--json").json()["issuer"] == "http://localhost:8700"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--issuer", "http://auth.example.com"), "plain HTTP"),
        (("--issuer", "ftp://auth.example.com"), "issuer"),
        (("--database", "postgresql"), "postgresql://USER@HOST:PORT/DATABASE"),
        (("--database", "mysql://x"), "postgresql://USER@HOST:PORT/DATABASE"),
        (("--database", "postgresql://[::1/x"), "postgresql://USER@HOST:PORT/DATABASE"),
        (("--database", "postgresql://ada:pw@db/x"), "without its password"),
        (("--database", "postgresql://db/x?user=ada&password=pw"), "without its password"),
        (("--api", "two words"), "plain name"),
        (("--users", "asserted"), "the recipe is backend"),
        (("--recipe", "page", "--issuer", "https://id.example.com", "--site", "https://app.example.com"), "one site"),
        (("--site", "app.example.com"), "redirect URI"),
        (("--master-key-file", "./data/master.key"), "inside the data directory"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(run: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = run("init", "--yes", *arguments)
    assert ran.exit_status == 2
    assert said in ran.err
    assert list(Path().iterdir()) == []


def test_an_installation_is_never_overwritten(run: Run) -> None:
    run("init", "--yes")
    before = Path("sealring.toml").read_text(), Path("secrets/master.key").read_bytes()
    assert run("init", "--yes").exit_status == 2
    Path("sealring.toml").unlink()
    ran = run("init", "--yes")
    assert ran.exit_status == 2
    assert "Keep it" in ran.err
    assert Path("secrets/master.key").read_bytes() == before[1]


def test_a_data_folder_that_cannot_be_made_leaves_no_key_behind(run: Run) -> None:
    Path("file").touch()
    ran = run("init", "--yes", "--data", "./file/data")
    assert ran.exit_status == 2
    assert not Path("secrets/master.key").exists()
    assert not Path("sealring.toml").exists()
    assert run("init", "--yes").exit_status == 0


def test_a_database_that_is_not_there_leaves_no_key_behind(run: Run) -> None:
    ran = run("init", "--yes", "--database", "postgresql://ada@127.0.0.1:1/sealring")
    assert ran.exit_status == 2
    assert "The database sealring on 127.0.0.1:1 cannot be reached" in ran.err
    assert not Path("secrets/master.key").exists()
    assert not Path("sealring.toml").exists()
