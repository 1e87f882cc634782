import os
import resource
from pathlib import Path

from sealring.telemetry.standard_output import StandardOutput, Unwritten


def test_lines_are_written_whole() -> None:
    reading, writing = os.pipe()
    assert StandardOutput(writing).write(b"one\ntwo\n") is None
    assert os.read(reading, 100) == b"one\ntwo\n"
    os.close(reading)
    os.close(writing)


def test_a_closed_reader_is_an_outcome_and_no_exception() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    unwritten = StandardOutput(writing).write(b"one\n")
    os.close(writing)
    assert isinstance(unwritten, Unwritten)
    assert unwritten.rest == b"one\n"


def test_a_line_that_was_torn_gets_its_end_before_the_next_one(tmp_path: Path) -> None:
    # A file that may not grow takes a part of a line, as a full disk does.
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    output = StandardOutput(descriptor)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, hard))
    try:
        unwritten = output.write(b"one\ntwo\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(unwritten, Unwritten)
    assert unwritten.rest == b"o\n"
    assert output.write(b"three\n") is None
    os.close(descriptor)
    assert (tmp_path / "log").read_bytes() == b"one\ntw\nthree\n"
