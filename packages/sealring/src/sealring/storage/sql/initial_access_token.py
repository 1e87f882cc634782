"""Statements over initial access tokens."""

_SEE = "SELECT id, digest, note, uses_left, created_at, expires_at FROM initial_access_tokens"

ADD_TOKEN = """
INSERT INTO initial_access_tokens (id, digest, note, uses_left, created_at, expires_at)
VALUES (:id, :digest, :note, :uses_left, :created_at, :expires_at)
"""
FIND_LIVE_TOKEN = _SEE + " WHERE digest = :digest AND uses_left > 0 AND expires_at > :now"
LIST_TOKENS = _SEE + " ORDER BY created_at, id"
SPEND_TOKEN = "UPDATE initial_access_tokens SET uses_left = uses_left - 1 WHERE digest = :digest"
DELETE_TOKEN = "DELETE FROM initial_access_tokens WHERE id = :id RETURNING id"
FORGET_TOKENS = """
DELETE FROM initial_access_tokens WHERE id IN (
  SELECT id FROM initial_access_tokens WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
"""

# PostgreSQL:
HOLD_LIVE_TOKEN = FIND_LIVE_TOKEN + " FOR UPDATE"
