"""Runs every test: two halves side by side, then what wants the machine for itself.

The halves are cut where nothing of one meets the other: no port, no folder. What each printed is shown when it is done.
Exit status 0 where all passed.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = "packages/sealring/tests/cli"
SIDE_BY_SIDE = (
    ("packages", f"--ignore={COMMANDS}"),
    ("tests", "--ignore=tests/faults"),
)
AFTERWARDS = (("tests/faults", COMMANDS),)
"""Faults are judged by the clock, and the commands' demo has the port that journeys have too."""


def start(chosen: tuple[str, ...], output: Path) -> subprocess.Popen[bytes]:
    """Start pytest over a part of the tests, its output in a file."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", *chosen], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        )


def run(parts: tuple[tuple[str, ...], ...], folder: Path) -> bool:
    """Run parts at the same time; True where all of them passed."""
    began = time.monotonic()
    outputs = [folder / f"{number}" for number in range(len(parts))]
    running = [start(chosen, output) for chosen, output in zip(parts, outputs, strict=True)]
    passed = True
    for process, chosen, output in zip(running, parts, outputs, strict=True):
        passed = process.wait() == 0 and passed
        say(f"\n== {' '.join(chosen)}: {time.monotonic() - began:.0f} s\n{output.read_text(errors='replace')}")
    return passed


def say(text: str) -> None:
    """Show it at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run everything, whatever fails on the way."""
    with tempfile.TemporaryDirectory() as folder:
        halves = run(SIDE_BY_SIDE, Path(folder))
        rest = run(AFTERWARDS, Path(folder))
    say("\nall tests passed" if halves and rest else "\nsome tests failed: see above")
    return 0 if halves and rest else 1


if __name__ == "__main__":
    sys.exit(main())
