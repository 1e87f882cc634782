from pathlib import Path

from sealring.demo.folder import make_settings_of_demo
from sealring.demo.residents import Residents
from sealring.demo.run import screen
from sealring.protocol.secret import Secret


def test_the_screen_says_where_to_go_and_what_to_type(tmp_path: Path) -> None:
    settings = make_settings_of_demo(tmp_path / "demo-data", port=8700)
    said = screen(settings, Residents(passphrase="a-b-c-d-e-f", api_key=Secret("sla_x")), api_port=8701)
    assert "http://localhost:8700/" in said
    assert "a-b-c-d-e-f" in said
    assert "export TOKEN=$(./sealring demo token)" in said
    assert "sla_x" not in said
