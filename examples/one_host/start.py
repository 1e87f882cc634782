"""Start three programs behind one nginx: an API of FastAPI, a page with scripts, a site of Flask; one issuer for all.

python examples/one_host/start.py [FOLDER]      FOLDER: where it keeps what it makes (./one-host-data)
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from string import Template
from urllib.request import urlopen

EXAMPLES = Path(__file__).resolve().parents[1]
CLIENT = EXAMPLES.parent / "clients/browser"
# Of this environment, whichever is in use.
SEALRING = Path(sys.executable).with_name("sealring")
READY_SECONDS = 30


def main() -> None:
    """Make what is missing, start all, and end all with Ctrl-C."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "one-host-data").absolute()
    port = int(os.environ.get("PORT", "8480"))
    ports = {"PORT": port, "AUTH": port + 1, "API": port + 2, "SITE": port + 3}
    nginx = os.environ.get("NGINX") or shutil.which("nginx")
    if nginx is None:
        sys.exit("There is no nginx: apt install nginx, or name it in NGINX.")
    if not (CLIENT / "dist/sealring.js").exists():
        sys.exit(f"The page's library is not built: npm ci && npm run build, in {CLIENT}")
    home = f"http://localhost:{port}"
    environment = os.environ | {
        "SEALRING_SERVER__PORT": str(ports["AUTH"]),
        "SEALRING_SERVER__TRUSTED_PROXIES": "127.0.0.1/32",
    }
    secrets = prepare(folder, home, environment)
    of_the_api = {
        "SEALRING_ISSUER": f"{home}/auth",
        "SEALRING_AUDIENCE": "orders",
        "SEALRING_API_KEY": secrets["api"],
    }
    of_the_site = {
        "SEALRING_ISSUER": f"{home}/auth",
        "SEALRING_CLIENT_ID": "site",
        "SEALRING_CLIENT_SECRET": secrets["site"],
        "SEALRING_SITE": home,
    }
    places = {"FOLDER": folder, "PAGE": EXAMPLES / "one_host/page", "CLIENT": CLIENT}
    configuration = folder / "nginx.conf"
    configuration.write_text(Template((EXAMPLES / "one_host/nginx.conf").read_text()).substitute(ports | places))
    python = (sys.executable, "-m")
    running = [
        subprocess.Popen([SEALRING, "serve"], cwd=folder, env=environment),
        subprocess.Popen([nginx, "-e", "stderr", "-c", configuration]),
        subprocess.Popen(
            [*python, "uvicorn", "main:app", "--port", str(ports["API"])],
            cwd=EXAMPLES / "fastapi_api",
            env=os.environ | of_the_api,
        ),
        subprocess.Popen(
            [*python, "flask", "--app", "main", "run", "--port", str(ports["SITE"])],
            cwd=EXAMPLES / "flask_site",
            env=os.environ | of_the_site,
        ),
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for path in ("/auth/.well-known/openid-configuration", "/api/openapi.json", "/app/", "/"):
            wait_for(home + path)
        print(f"\n{home}/ and {home}/app/ — sign in as ada, {secrets['ada']}\n", flush=True)
        while all(process.poll() is None for process in running):
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10)


def prepare(folder: Path, home: str, environment: dict[str, str]) -> dict[str, str]:
    """Set up the installation once: an API, two clients and a person. Gives their secrets."""
    kept = folder / "secrets.json"
    if kept.exists():
        found: dict[str, str] = json.loads(kept.read_text())
        return found
    folder.mkdir(mode=0o700, parents=True)

    def sealring(*arguments: str) -> dict[str, dict[str, str]]:
        done = subprocess.run(
            [SEALRING, *arguments, "--json"], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE
        )
        told: dict[str, dict[str, str]] = json.loads(done.stdout)
        return told

    made = sealring("init", "--yes", "--recipe", "site", "--api", "orders", "--issuer", f"{home}/auth", "--site", home)
    page = ("--public", "--delivery", "cookie", "--origin", home, "--redirect-uri", f"{home}/app/")
    after = ("--post-logout-redirect-uri", f"{home}/app/")
    sealring("clients", "add", "page", *page, *after, "--skip-consent", "--allow", "orders", "orders:read")
    ada = sealring("users", "add", "ada", "--passphrase")
    secrets = {"api": made["api"]["api_key"], "site": made["client"]["client_secret"], "ada": str(ada["passphrase"])}
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(secrets))
    return secrets


def wait_for(address: str) -> None:
    """Wait until an address answers."""
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urlopen(address):  # noqa: S310 -- of this machine
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
