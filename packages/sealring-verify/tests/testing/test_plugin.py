"""The fixtures as another project has them: in a pytest of its own, with nothing of this one."""

import subprocess
import sys
from pathlib import Path

CONFTEST = 'pytest_plugins = ["sealring_verify.testing.plugin"]\n'
TESTS = """
import pytest

def test_served(issuer):
    assert issuer.verifier().verify(issuer.token()).aud == (issuer.audience,)

def test_offline(offline_issuer):
    assert offline_issuer.verifier().verify(offline_issuer.token(scope="a"), scopes={"a"}).sub == "user-1"
"""
NAMED = """
@pytest.fixture
def issuer_audience():
    return "orders"

def test_named(issuer):
    assert issuer.audience == "orders"
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-W", "error", *arguments, folder]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_one_line_in_a_conftest_gives_both_issuers(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_api.py").write_text(TESTS)
    (tmp_path / "test_named.py").write_text(TESTS + NAMED)
    done = run(tmp_path)
    assert "5 passed" in done.stdout, done.stdout + done.stderr


def test_no_pytest_loads_it_unasked(tmp_path: Path) -> None:
    (tmp_path / "test_sys.py").write_text(
        "import sys\ndef test_it(): assert not any(name.startswith('sealring') for name in sys.modules)\n"
    )
    done = run(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
