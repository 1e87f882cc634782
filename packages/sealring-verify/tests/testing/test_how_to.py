"""docs/how-to/test-your-api.md: its blocks are the files of a project whose tests pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

from sealring_verify.testing import Issuer

PAGE = (Path(__file__).parents[4] / "docs/how-to/test-your-api.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


def test_the_page_is_a_project_whose_tests_pass(tmp_path: Path) -> None:
    assert len(FILES) == PAGE.count("```python") == 4
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert "10 passed" in done.stdout, done.stdout + done.stderr


def test_the_page_names_all_that_the_issuer_can_do() -> None:
    names = {name for name in dir(Issuer) if not name.startswith("_") and callable(getattr(Issuer, name))}
    assert {name for name in names - {"claims", "close", "jwks"} if f"{name}(" not in PAGE} == set()
