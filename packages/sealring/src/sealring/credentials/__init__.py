"""Credentials: names and secrets that prove a person; pure CPU work, imports nothing of ours."""
