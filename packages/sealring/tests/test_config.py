import os
from pathlib import Path

import pytest

from sealring.config import (
    Settings,
    SettingsProblem,
    certificate_files,
    control_socket,
    hash_parameters,
    load_settings,
    make_settings,
    password_policy,
)

ISSUER = "https://auth.example.com"


def sentence(outcome: Settings | SettingsProblem) -> str:
    assert isinstance(outcome, SettingsProblem), outcome
    assert outcome.sentence.endswith(".")
    return outcome.sentence


def load(tmp_path: Path, text: str | None, **environment: str) -> Settings | SettingsProblem:
    if text is None:
        return load_settings(None, environment=environment)
    file = tmp_path / "sealring.toml"
    file.write_text(text)
    return load_settings(file, environment=environment)


def made(**written: object) -> Settings | SettingsProblem:
    return make_settings({"issuer": ISSUER, **written}, folder=Path("/srv"), source="sealring.toml")


def test_the_issuer_alone_is_a_configuration(tmp_path: Path) -> None:
    settings = load(tmp_path, f'issuer = "{ISSUER}"')
    assert isinstance(settings, Settings)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8700)
    assert settings.path(settings.data) == tmp_path / "data"
    assert settings.path("/var/lib/x") == Path("/var/lib/x")
    assert control_socket(settings) == tmp_path / "run/control.sock"
    assert hash_parameters(settings).memory == 19_456
    assert password_policy(settings).minimum_length == 15


def test_the_audit_is_kept_for_good_unless_days_are_set() -> None:
    settings, dated = made(), made(audit={"retention_days": 90})
    assert isinstance(settings, Settings)
    assert isinstance(dated, Settings)
    assert (settings.audit.retention_days, dated.audit.retention_days) == (0, 90)
    for days in (-1, 36_501):
        assert "audit.retention_days" in sentence(made(audit={"retention_days": days}))


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f'issuer = "{ISSUER}"\n[server]\nport = 1\nhost = "::1"',
        SEALRING_SERVER__PORT="8800",
        SEALRING_PASSWORD__MEMORY="64",
        SEALRING_SERVER__TRUSTED_PROXIES="10.0.0.0/8,::1/128",
        SEALRING_API_KEY="read by the verifier",
        SEALRING_SYMMETRIC_SECRETS="the same",
        SEALRING_CLIENT_ID="read by a service's token",
        SEALRING_CLIENT_SECRET="the same",
        PATH="/bin",
    )
    assert isinstance(settings, Settings)
    assert (settings.server.host, settings.server.port) == ("::1", 8800)
    assert settings.password.memory == 64
    assert settings.server.trusted_proxies == ("10.0.0.0/8", "::1/128")


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(load(tmp_path, None, SEALRING_ISSUER=ISSUER), Settings)


def test_sealring_config_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(f'issuer = "{ISSUER}"')
    settings = load(tmp_path, None, SEALRING_CONFIG=str(file))
    assert isinstance(settings, Settings)
    assert settings.folder == tmp_path


@pytest.mark.parametrize(
    "text", ['issuer = "https://a.example"\nisuer = 1', 'issuer = "https://a.example"\n[server]\nprot = 1']
)
def test_an_unknown_key_of_the_file_stops_the_start(tmp_path: Path, text: str) -> None:
    said = sentence(load(tmp_path, text))
    assert "isuer" in said or "prot" in said
    assert "docs/reference/settings.md" in said


@pytest.mark.parametrize("name", ["SEALRING_ISUER", "SEALRING_SERVER__PROT", "SEALRING_ISSUER__X", "SEALRING_FOLDER"])
def test_an_unknown_variable_stops_the_start(tmp_path: Path, name: str) -> None:
    said = sentence(load(tmp_path, f'issuer = "{ISSUER}"', **{name: "1"}))
    assert name in said


def test_without_an_issuer_the_two_ways_to_begin_are_named(tmp_path: Path) -> None:
    said = sentence(load(tmp_path, ""))
    assert "sealring init" in said
    assert "sealring demo" in said


def test_a_folder_without_a_file_is_told_where_else_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = sentence(load(tmp_path, None))
    assert "no sealring.toml in this folder" in said
    assert "--config" in said


def test_a_file_that_is_missing_or_no_toml_is_a_sentence(tmp_path: Path) -> None:
    assert "cannot be read" in sentence(load_settings(tmp_path / "none.toml", environment={}))
    assert "not valid TOML" in sentence(load(tmp_path, "issuer ="))
    (tmp_path / "sealring.toml").write_bytes(b'issuer = "\xff"')
    assert "not valid TOML" in sentence(load_settings(tmp_path / "sealring.toml", environment={}))


@pytest.mark.parametrize(
    ("issuer", "word"),
    [
        ("http://auth.example.com", "plain HTTP"),
        ("https://auth.example.com/", "slash"),
        ("https://auth.example.com?x", "no query"),
        ("auth.example.com", "must look like"),
        ("https://auth.example.com:port", "must look like"),
    ],
)
def test_an_issuer_that_cannot_be_is_a_sentence(issuer: str, word: str) -> None:
    assert word in sentence(made(issuer=issuer))


@pytest.mark.parametrize("key", ["./data/master.key", "./data/deep/master.key", "data/../data/master.key"])
def test_a_master_key_inside_the_data_directory_is_refused(key: str) -> None:
    assert "inside the data directory" in sentence(made(master_key_file=key))


@pytest.mark.parametrize(
    "written",
    [
        {"server": {"port": 70_000}},
        {"server": {"port": "many"}},
        {"server": {"trusted_proxies": ["10.0.0.1/8"]}},
        {"server": {"head_seconds": 0}},
        {"server": 5},
        {"password": {"memory": 1}},
        {"password": {"minimum_length": 0}},
        {"password": {"minimum_length": 200, "maximum_length": 100}},
        {"password": {"queue": 0}},
        {"limits": {"failures_per_account": 0}},
        {"telemetry": {"activity": "stderr"}},
        {"database": "postgresql"},
        {"database": "mysql://ada@localhost/x"},
        {"folder": "/tmp"},  # noqa: S108 -- a name, nothing is written there
        {"data": 5.5, "server": {"port": 1.5}},
    ],
)
def test_a_value_that_cannot_be_is_a_sentence(written: dict[str, object]) -> None:
    sentence(made(**written))


def test_nothing_reads_the_real_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALRING_SURPRISE", "1")
    assert "SEALRING_SURPRISE" in os.environ
    assert isinstance(load(tmp_path, f'issuer = "{ISSUER}"'), Settings)


def test_the_password_of_a_database_is_never_repeated() -> None:
    served = made(database="postgresql://ada:pw_of_ada@db/sealring")
    assert isinstance(served, Settings)
    assert served.database == "postgresql://ada:pw_of_ada@db/sealring"
    assert "pw_of_ada" not in repr(served)
    assert "pw_of_ada" not in sentence(made(database="mysql://ada:pw_of_ada@db/sealring"))


def test_certificate_and_key_belong_together_and_want_an_https_issuer() -> None:
    pair = {"certificate_file": "tls/cert.pem", "key_file": "/etc/key.pem"}
    settings = made(tls=pair)
    assert isinstance(settings, Settings)
    assert certificate_files(settings) == (Path("/srv/tls/cert.pem"), Path("/etc/key.pem"))
    without = made()
    assert isinstance(without, Settings)
    assert certificate_files(without) is None
    for name in pair:
        assert "belong together" in sentence(made(tls={name: "x.pem"}))
    assert "write https://" in sentence(made(issuer="http://localhost:8700", tls=pair))


def test_the_environment_names_what_may_be_called_with_commas_between(tmp_path: Path) -> None:
    settings = load(tmp_path, f'issuer = "{ISSUER}"', SEALRING_OUTGOING__ALLOW="localhost:8443,[::1]:8443")
    assert isinstance(settings, Settings)
    assert settings.outgoing.allow == ("localhost:8443", "[::1]:8443")
    assert settings.outgoing.ca_file is None
