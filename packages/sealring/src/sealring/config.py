"""Settings: the only reader of the environment and of `sealring.toml` (docs/reference/settings.md).

One way: the file first, then `SEALRING_…` variables over it, with `__` between levels. An unknown key stops the start.
"""

import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from sealring.browser.page_style import PageStyle, page_style_problem
from sealring.credentials.password_hash import PasswordHashParameters
from sealring.credentials.password_policy import PasswordPolicy
from sealring.protocol.discovery import issuer_problem
from sealring.protocol.instant import Seconds
from sealring.protocol.sso_session import SsoPolicy

CONFIGURATION_FILE: Final = "sealring.toml"
_PREFIX: Final = "SEALRING_"
_LISTS: Final = frozenset({"trusted_proxies", "allow"})
_POSTGRESQL: Final = ("postgresql://", "postgres://")
# Read by this module itself, or by verifiers and service tokens in the same environment; no settings of the server.
_NOT_SETTINGS: Final = frozenset(
    {
        "SEALRING_CONFIG",
        "SEALRING_AUDIENCE",
        "SEALRING_API_KEY",
        "SEALRING_SYMMETRIC_SECRETS",
        "SEALRING_CLIENT_ID",
        "SEALRING_CLIENT_SECRET",
    }
)


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens. `trusted_proxies`: networks whose X-Forwarded-For counts."""

    host: str = "127.0.0.1"
    port: int = 8700
    trusted_proxies: tuple[str, ...] = ()
    connections: int = 4096
    head_seconds: int = 10
    body_seconds: int = 10


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server's own certificate and its key, PEM; both or neither. None: a proxy in front speaks TLS."""

    certificate_file: str | None = None
    key_file: str | None = None


class PasswordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Password rules (NIST SP 800-63B-4) and what one Argon2id hash costs. `threads` 0: cores minus one.

    `reserved_for_known`: places of the queue; None is a quarter of it.
    """

    minimum_length: int = 15
    minimum_length_with_second_factor: int = 8
    maximum_length: int = 128
    memory: int = 19_456
    passes: int = 2
    lanes: int = 1
    threads: int = 0
    queue: int = 64
    reserved_for_known: int | None = None


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Failed sign-ins in 15 minutes: per account and network, and per network."""

    failures_per_account: int = 10
    failures_per_network: int = 100


class SsoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a browser stays signed in: without use, and at all."""

    idle_minutes: int = 720
    absolute_hours: int = 720


class LogoutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How applications hear of a log-out besides the back channel. `front_channel`: by pages of theirs within ours."""

    front_channel: bool = False


class PageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the pages look that people see: a name, a logo, and an accent on light paper and on dark."""

    name: str = PageStyle().name
    logo_file: str | None = None
    accent: str = PageStyle().accent
    accent_dark: str = PageStyle().accent_dark


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one API may take of the revocation feed on one node: streams at a time, snapshots in a minute."""

    streams_per_api: int = 1024
    snapshots_per_minute: int = 3000


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a running server writes how far the audit has come, in seconds. `retention_days` 0: kept for good."""

    checkpoint_seconds: int = 300
    retention_days: int = 0


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where ordinary acts are told, which are no rows of the audit: nowhere, or on standard output."""

    activity: Literal["off", "stdout"] = "off"


class KeySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How keys turn: days that one signs, hours that the next is published before, seconds that a key set is kept."""

    active_days: int = 30
    pending_hours: int = 24
    key_set_seconds: int = 300


class OutgoingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls to other people's servers. `ca_file`: authorities trusted besides the system's, PEM.

    `allow`: `host:port` that may lead to this machine or a private network.
    """

    ca_file: str | None = None
    allow: tuple[str, ...] = ()


class RegistrationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether clients may register themselves: none, those with an initial access token, or all within the limits.

    `require_pkce`: of confidential ones too. `per_network`: in an hour. `most_clients`: in all.
    """

    mode: Literal["off", "token", "open"] = "off"
    require_pkce: bool = True
    per_network: int = 20
    most_clients: int = 1000


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Paths are taken from the folder of the configuration file.

    `database`: `sqlite` (a file in `data`), or the URL of a PostgreSQL database. `incarnation_file`: what is remembered
    of the store outside of it, beside the master key where none is named. `run`: where the control socket lies.
    """

    issuer: str
    data: str = "./data"
    database: str = "sqlite"
    master_key_file: str = "./secrets/master.key"
    incarnation_file: str | None = None
    run: str = "./run"
    server: ServerSettings = ServerSettings()
    tls: TlsSettings = TlsSettings()
    password: PasswordSettings = PasswordSettings()
    limits: LimitSettings = LimitSettings()
    sso: SsoSettings = SsoSettings()
    logout: LogoutSettings = LogoutSettings()
    pages: PageSettings = PageSettings()
    feed: FeedSettings = FeedSettings()
    audit: AuditSettings = AuditSettings()
    keys: KeySettings = KeySettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    outgoing: OutgoingSettings = OutgoingSettings()
    registration: RegistrationSettings = RegistrationSettings()
    folder: Path = Path()

    def __repr__(self) -> str:
        """Leave out all values: the database's URL may hold a password."""
        return f"Settings(issuer={self.issuer!r}, …)"

    def path(self, text: str) -> Path:
        """Return a path of the settings, relative ones taken from the configuration file's folder."""
        return self.folder / text


class SettingsProblem(msgspec.Struct, frozen=True):
    """Why the settings cannot be used: a sentence that says what to do."""

    sentence: str


def load_settings(file: Path | None, *, environment: Mapping[str, str]) -> Settings | SettingsProblem:
    """Read the settings. `file`: None for the one that SEALRING_CONFIG names, else `sealring.toml` here, if any."""
    named = file or (Path(environment["SEALRING_CONFIG"]) if "SEALRING_CONFIG" in environment else None)
    path = named or Path(CONFIGURATION_FILE)
    try:
        written = tomllib.loads(path.read_text()) if named is not None or path.exists() else {}
    except OSError as failure:
        return SettingsProblem(f"The configuration file {path} cannot be read ({failure.strerror}).")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        return SettingsProblem(f"The configuration file {path} is not valid TOML: {failure}.")
    overlaid = sorted(name for name in environment if name.startswith(_PREFIX) and name not in _NOT_SETTINGS)
    for name in overlaid:
        problem = _overlay(written, name, environment[name])
        if problem is not None:
            return problem
    if "issuer" not in written and named is None and not path.exists():
        return SettingsProblem(
            f"There is no {path} in this folder: go to the installation's, or name its file by --config. "
            "`sealring init` makes one, `sealring demo` is to try."
        )
    # Whoever looks for a mistake must know that the file is not all that was read.
    source = f"{path} with {', '.join(overlaid)} of the environment" if overlaid else str(path)
    return make_settings(written, folder=path.absolute().parent, source=source)


def make_settings(written: Mapping[str, Any], *, folder: Path, source: str) -> Settings | SettingsProblem:
    """Turn what was written down into Settings, or say what is wrong with it."""
    if "folder" in written:
        return SettingsProblem(f"{source}: there is no setting `folder`.")
    if "issuer" not in written:
        return SettingsProblem(
            f"{source}: no `issuer` is set. Run `sealring init` to make a configuration, or `sealring demo` to try."
        )
    try:
        # Not strict: environment variables are texts, and "8700" must be able to set a port.
        settings = msgspec.convert({**written, "folder": folder}, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as problem:
        return SettingsProblem(f"{source}: {problem}. All settings are listed in docs/reference/settings.md.")
    return _problem(settings) or settings


def control_socket(settings: Settings) -> Path:
    """Return where the control socket of a running server lies."""
    return settings.path(settings.run) / "control.sock"


def certificate_files(settings: Settings) -> tuple[Path, Path] | None:
    """Return the files of the server's own certificate and key; None where TLS is another's."""
    written = settings.tls
    if written.certificate_file is None or written.key_file is None:
        return None
    return settings.path(written.certificate_file), settings.path(written.key_file)


def password_policy(settings: Settings) -> PasswordPolicy:
    """Return the password rules that the settings make."""
    written = settings.password
    return PasswordPolicy(
        minimum_length=written.minimum_length,
        minimum_length_with_second_factor=written.minimum_length_with_second_factor,
        maximum_length=written.maximum_length,
    )


def sso_policy(settings: Settings) -> SsoPolicy:
    """Say how long a browser stays signed in."""
    return SsoPolicy(idle=Seconds(settings.sso.idle_minutes * 60), absolute=Seconds(settings.sso.absolute_hours * 3600))


def hash_parameters(settings: Settings) -> PasswordHashParameters:
    """Return the Argon2id parameters that the settings make."""
    written = settings.password
    return PasswordHashParameters(memory=written.memory, passes=written.passes, lanes=written.lanes)


def page_style(settings: Settings) -> PageStyle:
    """Return how the pages look by the settings; the logo's file is not read yet."""
    written = settings.pages
    return PageStyle(name=written.name, accent=written.accent, accent_dark=written.accent_dark)


def reserved_places(settings: Settings) -> int:
    """Return how many places of the hashing queue only known devices may take."""
    written = settings.password
    return max(1, written.queue // 4) if written.reserved_for_known is None else written.reserved_for_known


def _overlay(written: dict[str, Any], name: str, value: str) -> SettingsProblem | None:
    *tables, key = name.removeprefix(_PREFIX).lower().split("__")
    place: Any = written
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            return SettingsProblem(f"{name}: there is no setting of that name.")
    place[key] = value.split(",") if key in _LISTS else value
    return None


def _problem(settings: Settings) -> SettingsProblem | None:
    issuer = issuer_problem(settings.issuer)
    if issuer is not None:
        return SettingsProblem(issuer.sentence)
    if settings.database != "sqlite" and not settings.database.startswith(_POSTGRESQL):
        # Not repeated: it may hold a password.
        return SettingsProblem('database is "sqlite" or "postgresql://USER@HOST:PORT/DATABASE", nothing else.')
    tls = _tls_problem(settings)
    if tls is not None:
        return tls
    data, master_key = settings.path(settings.data).resolve(), settings.path(settings.master_key_file).resolve()
    if data in master_key.parents:
        return SettingsProblem(
            f"master_key_file lies inside the data directory {data}, which backups copy: keep the key elsewhere."
        )
    try:
        password_policy(settings)
        hash_parameters(settings)
        for network in settings.server.trusted_proxies:
            ip_network(network)
    except ValueError as problem:
        return SettingsProblem(f"{problem}.")
    unreadable = page_style_problem(page_style(settings))
    return _bounds_problem(settings) if unreadable is None else SettingsProblem(unreadable)


def _bounds_problem(settings: Settings) -> SettingsProblem | None:
    bounds = {
        "server.port": (settings.server.port, 0, 65535),
        "server.connections": (settings.server.connections, 16, 65536),
        "server.head_seconds": (settings.server.head_seconds, 1, 120),
        "server.body_seconds": (settings.server.body_seconds, 1, 120),
        "password.threads": (settings.password.threads, 0, 64),
        "password.queue": (settings.password.queue, 1, 4096),
        "feed.streams_per_api": (settings.feed.streams_per_api, 1, 65536),
        "feed.snapshots_per_minute": (settings.feed.snapshots_per_minute, 1, 1_000_000),
        "password.reserved_for_known": (reserved_places(settings), 0, settings.password.queue),
        "audit.checkpoint_seconds": (settings.audit.checkpoint_seconds, 1, 86_400),
        "audit.retention_days": (settings.audit.retention_days, 0, 36_500),
        "keys.active_days": (settings.keys.active_days, 1, 3650),
        "keys.pending_hours": (settings.keys.pending_hours, 1, 720),
        "keys.key_set_seconds": (settings.keys.key_set_seconds, 1, 3600),
        "sso.idle_minutes": (settings.sso.idle_minutes, 1, 60 * 24 * 366),
        "sso.absolute_hours": (settings.sso.absolute_hours, 1, 24 * 366),
        "registration.per_network": (settings.registration.per_network, 1, 100_000),
        "registration.most_clients": (settings.registration.most_clients, 1, 100_000),
        "limits.failures_per_account": (settings.limits.failures_per_account, 1, 100),
        "limits.failures_per_network": (settings.limits.failures_per_network, 1, 100_000),
    }
    for name, (value, least, most) in bounds.items():
        if not least <= value <= most:
            return SettingsProblem(f"{name} = {value} must lie between {least} and {most}.")
    return None


def _tls_problem(settings: Settings) -> SettingsProblem | None:
    if (settings.tls.certificate_file is None) != (settings.tls.key_file is None):
        return SettingsProblem("tls.certificate_file and tls.key_file belong together: set both, or neither.")
    if certificate_files(settings) is not None and not settings.issuer.startswith("https://"):
        return SettingsProblem(
            f"The server shall speak TLS, but the issuer {settings.issuer!r} says plain HTTP: write https://."
        )
    return None


def _path(kind: type, value: Any) -> Any:  # noqa: ANN401 -- msgspec's own signature
    if kind is Path and isinstance(value, Path):
        return value
    raise NotImplementedError
