"""The server of the fault tests whose wall clock a file moves: `serve.py SEALRING_TOML`."""

import sys
from pathlib import Path

import uvloop

from sealring.compose import DemoTerms, serve_house
from sealring.config import Settings, load_settings


def main() -> None:
    file = Path(sys.argv[1])
    settings = load_settings(file, environment={})
    assert isinstance(settings, Settings), settings
    demo = DemoTerms(routes={}, clock_offset_file=file.parent / "clock_offset")
    uvloop.run(serve_house(settings, demo=demo))


if __name__ == "__main__":
    main()
