"""Verify JWT access tokens in an API."""
