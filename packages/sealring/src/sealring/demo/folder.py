"""The demo's folder: settings, keys and secrets of its own, far from any real installation (SECURITY D7)."""

import hashlib
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from sealring.config import CONFIGURATION_FILE, Settings, SettingsProblem, make_settings

USERNAME: Final = "ada"
AUDIENCE: Final = "orders"
ORDERS_SCOPES: Final = ("orders:read", "orders:write")
PAGE_CLIENT: Final = "playground"
COMMAND_CLIENT: Final = "demo-cli"

PASSPHRASE_FILE: Final = "ada.passphrase"
API_KEY_FILE: Final = "orders.key"
CLIENT_SECRET_FILE: Final = "demo-cli.secret"
CLOCK_OFFSET_FILE: Final = "clock-offset"
_LONGEST_SOCKET_PATH: Final = 100  # bytes; the system's bound is 107


class DemoProblem(Exception):  # noqa: N818 -- a sentence for the person at the terminal, who reads no traceback
    """The demo cannot go on; the message says what to do. `exit_status`: 2 in the way, 3 unreachable."""

    def __init__(self, sentence: str, *, exit_status: int = 2) -> None:
        super().__init__(sentence)
        self.exit_status = exit_status


def make_settings_of_demo(folder: Path, *, port: int) -> Settings:
    """Write the settings of a new demo, or read those it has. Raises DemoProblem where they are for another port.

    A test bench may have written them before the first start: with TLS the issuer is https, still on this machine.
    """
    folder = folder.absolute()
    file = folder / CONFIGURATION_FILE
    issuers = (f"http://localhost:{port}", f"https://localhost:{port}")
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(_configuration(folder, issuer=issuers[0], port=port))
    settings = read_settings_of_demo(folder)
    if settings.issuer not in issuers or settings.server.host != "127.0.0.1":
        raise DemoProblem(f"{folder} holds the demo of {settings.issuer}: name another folder, or remove this one.")
    return settings


def read_settings_of_demo(folder: Path) -> Settings:
    """Read the settings of a demo that was started once. Raises DemoProblem where there is none."""
    file = folder.absolute() / CONFIGURATION_FILE
    try:
        written = tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise DemoProblem(
            f"There is no demo in {folder.absolute()}: start it with `sealring demo`.", exit_status=3
        ) from None
    except (OSError, ValueError) as problem:
        raise DemoProblem(f"{file} cannot be read: {problem}. Remove the folder to begin anew.") from problem
    settings = make_settings(written, folder=folder.absolute(), source=str(file))
    if isinstance(settings, SettingsProblem):
        raise DemoProblem(settings.sentence)
    return settings


def read_secret(file: Path) -> str | None:
    """Read a secret of the demo; None where there is none."""
    try:
        return file.read_text().strip() or None
    except FileNotFoundError:
        return None


def write_secret(file: Path, secret: str) -> None:
    """Write a secret of the demo for its owner's eyes only (0600); whole, or not at all."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as opened:  # noqa: PTH123 -- a descriptor, which Path cannot open
        opened.write(secret + "\n")
    draft.replace(file)


def _configuration(folder: Path, *, issuer: str, port: int) -> str:
    return f"""# The demo's own settings: nothing here is fit for people other than ada.
issuer = "{issuer}"
run = "{_run_folder(folder)}"

[server]
host = "127.0.0.1"
port = {port}
"""


def _run_folder(folder: Path) -> str:
    if len(os.fsencode(folder / "run" / "control.sock")) <= _LONGEST_SOCKET_PATH:
        return "./run"
    # A Unix socket's path is bounded: a demo that lies deep keeps its socket in a private folder elsewhere.
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return tempfile.mkdtemp(prefix=f"sealring-{name}-")
