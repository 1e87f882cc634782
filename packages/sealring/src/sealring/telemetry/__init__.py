"""Telemetry: logs and the activity stream, which hear what happens; may import ports."""
