"""The example API beside the demo's server: a process of its own, as an API would be, that ends with the demo.

The parent binds the port, so that one that is taken is known before anything starts, and hands the socket down. The
child reads its standard input, a pipe that only the parent holds: where the parent ends, also by SIGKILL, so does it.
"""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sealring.demo.folder import DemoProblem

_EXAMPLE: Final = Path("examples") / "fastapi_api"
_GRACE_SECONDS: Final = 5


def find_example() -> Path:
    """Find the example in the clone that this package lies in, or above the working directory."""
    for start in (Path(__file__).resolve(), Path.cwd() / "here"):
        for parent in start.parents:
            if (parent / _EXAMPLE / "main.py").is_file():
                return parent / _EXAMPLE
    raise DemoProblem("The demo runs the example API of Sealring's repository: start it in a clone of that.")


def open_api_socket(port: int) -> socket.socket:
    """Listen on the loopback address. Raises DemoProblem where the port is taken."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(("127.0.0.1", port))
        opened.listen()
    except OSError as problem:
        opened.close()
        raise DemoProblem(
            f"Port {port}, where the example API shall answer, cannot be had ({problem.strerror}): "
            "stop what listens there, perhaps another demo, or name another by --api-port."
        ) from problem
    return opened


@asynccontextmanager
async def run_example_api(
    opened: socket.socket, *, example: Path, environment: Mapping[str, str], when_it_ends: Callable[[], None]
) -> AsyncIterator[None]:
    """Run the example API on a listening socket. `when_it_ends`: called where it ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        str(opened.fileno()),
        str(example),
        stdin=asyncio.subprocess.PIPE,
        pass_fds=(opened.fileno(),),
        env={**os.environ, **environment},
        start_new_session=True,  # Ctrl-C is for the demo, which then ends this one in order
    )
    opened.close()
    watch = asyncio.create_task(_watch(process, when_it_ends))
    try:
        yield
    finally:
        watch.cancel()
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _watch(process: asyncio.subprocess.Process, when_it_ends: Callable[[], None]) -> None:
    await process.wait()
    when_it_ends()


def _serve_child(descriptor: int, example: str) -> None:
    import uvicorn  # noqa: PLC0415 -- the parent, which serves by itself, needs none of it

    sys.path.insert(0, example)
    config = uvicorn.Config("main:app", log_level="warning", lifespan="off")
    server = uvicorn.Server(config)

    def follow_parent() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=follow_parent, daemon=True).start()
    server.run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    _serve_child(int(sys.argv[1]), sys.argv[2])
