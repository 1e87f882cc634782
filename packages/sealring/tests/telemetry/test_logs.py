import json
import subprocess
import sys

SCRIPT = """
import logging
import structlog
from sealring.telemetry.logs import configure_logs

configure_logs()
logging.getLogger("library").warning('a "quote"\\nand %s', "a line")
password = "correct horse battery staple"
try:
    raise ValueError("own")
except ValueError:
    structlog.get_logger().exception("ours")
    logging.getLogger("library").exception("theirs")
"""


def test_each_event_is_one_json_line_without_local_variables() -> None:
    written = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stderr
    events = [json.loads(line) for line in written.splitlines()]
    assert [event["event"] for event in events] == ['a "quote"\nand a line', "ours", "theirs"]
    assert [event["level"] for event in events] == ["warning", "error", "error"]
    assert all(event["exception"][0]["exc_type"] == "ValueError" for event in events[1:])
    assert "battery" not in written
