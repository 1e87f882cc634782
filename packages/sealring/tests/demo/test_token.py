from pathlib import Path

import pytest

from sealring.demo.folder import (
    CLIENT_SECRET_FILE,
    PASSPHRASE_FILE,
    DemoProblem,
    make_settings_of_demo,
    write_secret,
)
from sealring.demo.token import demo_token


async def test_a_demo_that_is_down_is_told_with_its_own_exit_status(tmp_path: Path) -> None:
    make_settings_of_demo(tmp_path, port=9)  # discard: nobody listens
    with pytest.raises(DemoProblem, match="not been set up to its end"):
        await demo_token(folder=tmp_path)
    write_secret(tmp_path / PASSPHRASE_FILE, "a-b-c-d-e-f")
    write_secret(tmp_path / CLIENT_SECRET_FILE, "secret")
    with pytest.raises(DemoProblem, match="does not answer") as problem:
        await demo_token(folder=tmp_path)
    assert problem.value.exit_status == 3
