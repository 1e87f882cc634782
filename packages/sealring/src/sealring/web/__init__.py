"""Bytes ↔ values: routes in one table, endpoints, pages. May import `services`, `browser` and `protocol`."""
