"""Telemetry: logs, metrics and traces, which hear audit events; may import ports."""
