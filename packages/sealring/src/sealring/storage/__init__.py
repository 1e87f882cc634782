"""Rows ↔ frozen records, one atomic act per method; no judgement. May import `ports` and `protocol`."""
