"""Statements over authorization codes (SECURITY E1)."""

_STANDS = """
  EXISTS (SELECT 1 FROM sso_sessions
    WHERE sso_sessions.id = {code}sso_id AND sso_sessions.sub = {code}sub AND sso_sessions.ended_at IS NULL
      AND sso_sessions.subject_epoch = {code}subject_epoch AND sso_sessions.absolute_expires_at > :now)
  AND EXISTS (SELECT 1 FROM users
    WHERE users.sub = {code}sub AND users.epoch = {code}subject_epoch AND users.disabled_at IS NULL)
  AND EXISTS (SELECT 1 FROM clients
    WHERE clients.client_id = {code}client_id AND clients.epoch = {code}client_epoch AND clients.disabled_at IS NULL)
"""
_NEW_STANDS = _STANDS.format(code=":")
_KEPT_STANDS = _STANDS.format(code="authorization_codes.")

ADD_CODE = (
    """
INSERT INTO authorization_codes (digest, client_id, redirect_uri, code_challenge, sub, subject_epoch, client_epoch,
  sso_id, scope, resource, nonce, requested_claims, auth_time, amr, acr, created_at, expires_at)
SELECT :digest, :client_id, :redirect_uri, :code_challenge, :sub, :subject_epoch, :client_epoch, :sso_id, :scope,
  :resource, :nonce, :requested_claims, :auth_time, :amr, :acr, :created_at, :expires_at
FROM store_state WHERE"""
    + _NEW_STANDS
    + "RETURNING client_id"
)
FIND_CODE = (
    """
SELECT digest, client_id, redirect_uri, code_challenge, sub, subject_epoch, client_epoch, sso_id, scope, resource,
  nonce, requested_claims, auth_time, amr, acr, created_at, expires_at, spent_at, sid, CASE WHEN"""
    + _KEPT_STANDS
    + """THEN 1 ELSE 0 END
FROM authorization_codes WHERE digest = :digest
"""
)
SPEND_CODE = (
    """
UPDATE authorization_codes SET spent_at = :now, sid = :sid
WHERE digest = :digest AND spent_at IS NULL AND expires_at > :now AND"""
    + _KEPT_STANDS
    + "RETURNING sso_id"
)
FORGET_CODES = """
DELETE FROM authorization_codes WHERE digest IN (
  SELECT digest FROM authorization_codes WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit)
"""
