"""Statements over assertions of clients that were used."""

SPEND_ASSERTION = """
INSERT INTO client_assertions (digest, expires_at) VALUES (:digest, :expires_at)
ON CONFLICT (digest) DO NOTHING RETURNING expires_at
"""
FORGET_ASSERTIONS = """
DELETE FROM client_assertions WHERE digest IN (
  SELECT digest FROM client_assertions WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
"""
