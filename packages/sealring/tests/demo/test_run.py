import socket
from pathlib import Path

import pytest

from sealring.compose import make_master_key, open_house
from sealring.demo.folder import DemoProblem, make_settings_of_demo
from sealring.demo.residents import Residents
from sealring.demo.run import run_demo, screen
from sealring.protocol.secret import Secret


def test_the_screen_says_where_to_go_and_what_to_type(tmp_path: Path) -> None:
    settings = make_settings_of_demo(tmp_path / "demo-data", port=8700)
    said = screen(settings, Residents(passphrase="a-b-c-d-e-f", api_key=Secret("sla_x")), api_port=8701)
    assert "http://localhost:8700/" in said
    assert "a-b-c-d-e-f" in said
    assert "export TOKEN=$(./sealring demo token)" in said
    assert "sla_x" not in said


async def test_ada_moves_into_no_real_installation(tmp_path: Path) -> None:
    settings = make_settings_of_demo(tmp_path, port=8700)
    make_master_key(settings)
    async with open_house(settings):
        pass
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free_port = probe.getsockname()[1]
    with pytest.raises(DemoProblem, match="real installation"):
        await run_demo(folder=tmp_path, port=8700, api_port=free_port)
    async with open_house(settings) as opened:
        assert await opened.desk.store.users.list_all(after=None, limit=1) == ()
