"""Statements over browser sessions (SECURITY A4, E7)."""

_STANDS = """
  EXISTS (SELECT 1 FROM users WHERE users.sub = sso_sessions.sub AND users.epoch = sso_sessions.subject_epoch
            AND users.disabled_at IS NULL)"""
LIVES = " ended_at IS NULL AND idle_expires_at > :now AND absolute_expires_at > :now AND" + _STANDS

CREATE_SSO_SESSION = """
INSERT INTO sso_sessions (id, digest, sub, subject_epoch, auth_time, amr, acr, created_at, last_used_at,
  idle_expires_at, absolute_expires_at, network, user_agent)
SELECT :id, :digest, :sub, :subject_epoch, :auth_time, :amr, :acr, :created_at, :last_used_at, :idle_expires_at,
  :absolute_expires_at, :network, :user_agent
FROM users WHERE sub = :sub AND epoch = :subject_epoch AND disabled_at IS NULL
RETURNING id
"""

_SEE = """
SELECT id, sub, subject_epoch, auth_time, amr, acr, created_at, last_used_at, idle_expires_at, absolute_expires_at,
  network, user_agent
FROM sso_sessions WHERE"""
FIND_SSO_SESSION = _SEE + " digest = :digest AND" + LIVES
LIST_SSO_SESSIONS = _SEE + " sub = :sub AND" + LIVES + " ORDER BY created_at DESC, id LIMIT :limit"

# A change of the password raises the epoch first: whoever made it is proven under the new one.
PROVE_SSO_SESSION = """
UPDATE sso_sessions SET digest = :digest, subject_epoch = :subject_epoch, auth_time = :auth_time, amr = :amr,
  acr = :acr, last_used_at = :now, idle_expires_at = :idle_expires_at
WHERE id = :id AND ended_at IS NULL AND idle_expires_at > :now AND absolute_expires_at > :now
  AND EXISTS (SELECT 1 FROM users WHERE users.sub = sso_sessions.sub AND users.epoch = :subject_epoch
                AND users.disabled_at IS NULL)
RETURNING id
"""
TOUCH_SSO_SESSION = (
    """
UPDATE sso_sessions SET last_used_at = :now, idle_expires_at = :idle_expires_at
WHERE id = :id AND"""
    + LIVES
)
END_SSO_SESSION = """
UPDATE sso_sessions SET ended_at = :now, ended_reason = :reason WHERE id = :id AND ended_at IS NULL RETURNING sub
"""
FORGET_SSO_SESSIONS = """
DELETE FROM sso_sessions WHERE id IN (
  SELECT id FROM sso_sessions WHERE absolute_expires_at <= :before ORDER BY absolute_expires_at LIMIT :limit)
"""
# PostgreSQL: held after the user and before the sessions, as whoever ends it does.
SHARE_SSO_SESSION = "SELECT sub FROM sso_sessions WHERE id = :id FOR SHARE"
