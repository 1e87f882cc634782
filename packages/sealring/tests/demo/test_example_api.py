import asyncio
import socket
from pathlib import Path

import pytest

from sealring.demo.example_api import find_example, open_api_socket, run_example_api
from sealring.demo.folder import DemoProblem


def test_the_example_is_the_one_of_this_clone() -> None:
    assert (find_example() / "main.py").read_text().startswith('"""An orders API')


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoProblem, match=f"Port {port}, where the example API shall answer") as problem:
            open_api_socket(port)
    assert problem.value.exit_status == 2


async def test_an_api_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("raise SystemExit('no')\n")
    ended = asyncio.Event()
    opened = open_api_socket(0)
    async with run_example_api(opened, example=tmp_path, environment={}, when_it_ends=ended.set):
        await asyncio.wait_for(ended.wait(), 20)


async def test_an_api_that_is_told_to_end_is_not_taken_for_one_that_died(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("async def app(scope, receive, send):\n    pass\n")
    ended = asyncio.Event()
    opened = open_api_socket(0)
    async with run_example_api(opened, example=tmp_path, environment={}, when_it_ends=ended.set):
        pass
    assert not ended.is_set()
