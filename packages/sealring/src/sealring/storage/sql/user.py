"""Statements over people. Nobody is called as a client is, deleted ones included (RFC 9068 §5)."""

# ruff: noqa: S608 -- what is joined here are this file's own constants; every value is a parameter

_SEE = "SELECT sub, username, email, roles, claims, administrator, demo, epoch, disabled_at, created_at"
_USER = _SEE + " FROM users WHERE"
_CREDENTIALS = _SEE + ", password_hash FROM users WHERE"
_SECONDS = "CAST(:now AS BIGINT) / 1000"
_RAISED_EPOCH = " epoch = CASE WHEN epoch + 1 > " + _SECONDS + " THEN epoch + 1 ELSE " + _SECONDS + " END"
_IF_LIVE_RETURNING_EPOCH = " WHERE sub = :sub AND deleted_at IS NULL RETURNING epoch"
_IF_KNOWN = " WHERE sub = :sub AND deleted_at IS NULL RETURNING sub"

ADD_USER = """
INSERT INTO users (sub, username, username_key, email, email_key, password_hash, roles, claims, administrator, demo,
  epoch, disabled_at, created_at)
SELECT :sub, :username, :username_key, :email, :email_key, :password_hash, :roles, :claims, :administrator, :demo,
  :epoch, :disabled_at, :created_at
WHERE NOT EXISTS (SELECT 1 FROM clients WHERE client_id = :sub)
ON CONFLICT DO NOTHING RETURNING sub
"""
FIND_USER = _USER + " sub = :sub AND deleted_at IS NULL"
# A deleted subject is found here, disabled: it must not come back to life under its old sub.
FIND_SUBJECT = _USER + " sub = :sub"
FIND_BY_USERNAME = _CREDENTIALS + " username_key = :key"
FIND_BY_EMAIL = _CREDENTIALS + " email_key = :key"
FIND_CREDENTIALS = _CREDENTIALS + " sub = :sub AND deleted_at IS NULL"
LIST_USERS = _USER + " deleted_at IS NULL AND sub > :after ORDER BY sub LIMIT :limit"

RAISE_EPOCH = "UPDATE users SET" + _RAISED_EPOCH + " WHERE sub = :sub RETURNING epoch"
RAISE_ALL_EPOCHS = "UPDATE users SET" + _RAISED_EPOCH
STILL_PROVEN = """
SELECT epoch FROM users
WHERE sub = :sub AND deleted_at IS NULL
  AND (CAST(:proven_epoch AS BIGINT) IS NULL OR epoch = :proven_epoch AND disabled_at IS NULL)
"""
SET_PASSWORD = "UPDATE users SET password_hash = :password_hash," + _RAISED_EPOCH + " WHERE sub = :sub RETURNING epoch"
REHASH_PASSWORD = """
UPDATE users SET password_hash = :new WHERE sub = :sub AND password_hash = :old RETURNING sub
"""
DISABLE_USER = "UPDATE users SET disabled_at = :now," + _RAISED_EPOCH + _IF_LIVE_RETURNING_EPOCH
ENABLE_USER = "UPDATE users SET disabled_at = NULL" + _IF_KNOWN
SET_ROLES = "UPDATE users SET roles = :roles" + _IF_KNOWN
SET_CLAIMS = "UPDATE users SET claims = :claims" + _IF_KNOWN
DELETE_USER = (
    """
UPDATE users SET deleted_at = :now, disabled_at = :now, username = NULL, username_key = NULL, email = NULL,
  email_key = NULL, password_hash = NULL, roles = '[]', claims = '{}', administrator = 0,"""
    + _RAISED_EPOCH
    + _IF_LIVE_RETURNING_EPOCH
)
ERASE_PERSONAL_EVENTS = "UPDATE audit_events SET personal = NULL, salt = NULL WHERE sub = :sub"

ADD_LINK = "INSERT INTO administrator_links (digest, expires_at) VALUES (:digest, :expires_at)"
FIND_LINK = "SELECT digest FROM administrator_links WHERE digest = :digest AND spent_at IS NULL AND expires_at > :now"
SPEND_LINK = "UPDATE administrator_links SET spent_at = :now WHERE digest = :digest"

# PostgreSQL has more than one writer: whoever decides on what it read holds it.
# What ADD_USER and ADD_CLIENT look for in the other table is not there yet while another node adds it.
LOCK_NAMES = "SELECT id FROM name_lock FOR UPDATE"
LOCK_USER = "SELECT sub FROM users WHERE sub = :sub FOR UPDATE"
# Whoever raises an epoch waits for log-ins that were proven under it, and knows then which APIs their tokens name.
LOCK_PROVEN = "SELECT sub FROM users WHERE sub = ANY (:subs) ORDER BY sub FOR SHARE"
LOCK_ALL_USERS = "SELECT count(*) FROM (SELECT sub FROM users ORDER BY sub FOR UPDATE) AS held"
LOCK_LINK = "SELECT digest FROM administrator_links WHERE digest = :digest FOR UPDATE"
