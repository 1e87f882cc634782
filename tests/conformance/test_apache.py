"""Apache's certified mod_auth_openidc guards a page: log-in, userinfo, refresh and log-out through the real pages."""

import asyncio
import os
import shutil
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from conformance.conftest import Bench, Suite
    from conftest import CertificateAuthority, DebianPackages

pytestmark = pytest.mark.asyncio(loop_scope="session")

PACKAGES: Final = (
    *("apache2-bin", "libapache2-mod-auth-openidc", "libcjose0", "libapr1", "libaprutil1", "liblua5.3-0"),
    *("libjansson4", "libhiredis0.14"),
)
READY_SECONDS: Final = 20
CONFIGURATION: Final = """
ServerRoot {folder}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
ServerName localhost
Listen 127.0.0.1:{port}
DocumentRoot {folder}/pages
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule auth_openidc_module {modules}/mod_auth_openidc.so
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCCABundlePath {folder}/ca.pem
OIDCClientID site
OIDCClientSecret {secret}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCRedirectURI http://localhost:{port}/oidc/callback/
OIDCPKCEMethod S256
OIDCScope "openid email profile offline_access"
OIDCCryptoPassphrase a-passphrase-of-the-tests
OIDCInfoHook iat access_token id_token userinfo
<Location />
  Require all granted
</Location>
<LocationMatch "^/(guarded|oidc)/">
  AuthType openid-connect
  Require valid-user
</LocationMatch>
"""


@pytest.fixture(scope="session")
def apache(debian_packages: "DebianPackages") -> tuple[Path, Path, dict[str, str]]:
    """Apache, its modules and its environment: installed ones, or unpacked from Debian's packages."""
    installed = Path("/usr/lib/apache2/modules")
    if (installed / "mod_auth_openidc.so").exists():
        return Path("/usr/sbin/apache2"), installed, dict(os.environ)
    root = debian_packages.unpack("apache", *PACKAGES)
    return root / "usr/sbin/apache2", root / "usr/lib/apache2/modules", debian_packages.environment(root)


@pytest.fixture
def site(authority_of_the_run: "CertificateAuthority") -> Iterator[Path]:
    """A folder that whoever Apache becomes may read, with two pages and the authority's certificate."""
    folder = Path(tempfile.mkdtemp(prefix="apache-"))
    folder.chmod(0o755)
    shutil.copyfile(authority_of_the_run.file, folder / "ca.pem")
    (folder / "pages/guarded").mkdir(parents=True)
    (folder / "pages/index.html").write_text("signed out")
    (folder / "pages/guarded/index.html").write_text("guarded")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_apache_signs_in_refreshes_and_signs_out(
    suite: "Suite",
    bench: "Bench",
    apache: tuple[Path, Path, dict[str, str]],
    site: Path,
) -> None:
    suite.installation.set_clock(0)
    program, modules, environment = apache
    home = f"http://localhost:{bench.site_port}/"
    told = {"folder": site, "port": bench.site_port, "modules": modules, "issuer": suite.issuer}
    user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
    (site / "httpd.conf").write_text(CONFIGURATION.format(**told, user=user, secret=suite.secret("site")))
    process = await asyncio.create_subprocess_exec(
        program, "-DFOREGROUND", "-f", site / "httpd.conf", stderr=PIPE, env=environment
    )
    try:
        await wait_until_it_listens(process, bench.site_port)
        page = await suite.walk(f"{home}guarded/", {})
        assert (page.url, page.text) == (f"{home}guarded/", "guarded"), (site / "error.log").read_text()
        assert "login" in page.visited

        callback = f"{home}oidc/callback/"
        info = (await suite.walk(callback, {"info": "json"})).response.json()
        assert info["userinfo"]["email"] == "ada@people.example"
        assert info["id_token"]["iss"] == suite.issuer

        asked = {"refresh": f"{home}guarded/", "access_token": info["access_token"]}
        assert (await suite.walk(callback, asked)).text == "guarded"
        again = (await suite.walk(callback, {"info": "json"})).response.json()
        assert again["access_token"] != info["access_token"]
        assert again["userinfo"] == info["userinfo"]

        last = await suite.walk(callback, {"logout": home})
        assert (last.url.partition("?")[0], last.text) == (home, "signed out")
        suite.check_error(await suite.authorize(prompt="none"), "login_required")
        assert "error" not in last.url
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def wait_until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            if process.returncode is not None:
                raise AssertionError((await process.communicate())[1].decode())
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
