"""Rows read as records and records written as rows, by noun; the same on both engines."""
