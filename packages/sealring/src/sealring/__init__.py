"""Sealring: a self-hosted token service."""
