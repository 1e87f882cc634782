"""Statements over consents (SECURITY E2)."""

_SEE = """
SELECT sub, client_id, redirect_uri, scope, resources, metadata_digest, granted_at FROM consents WHERE"""

FIND_CONSENT = _SEE + " sub = :sub AND client_id = :client_id AND redirect_uri = :redirect_uri"
LIST_CONSENTS = _SEE + " sub = :sub ORDER BY granted_at, client_id, redirect_uri"
KEEP_CONSENT = """
INSERT INTO consents (sub, client_id, redirect_uri, scope, resources, metadata_digest, granted_at)
VALUES (:sub, :client_id, :redirect_uri, :scope, :resources, :metadata_digest, :granted_at)
ON CONFLICT (sub, client_id, redirect_uri) DO UPDATE SET scope = excluded.scope, resources = excluded.resources,
  metadata_digest = excluded.metadata_digest, granted_at = excluded.granted_at
"""
WITHDRAW_CONSENTS = "DELETE FROM consents WHERE sub = :sub AND client_id = :client_id RETURNING client_id"
