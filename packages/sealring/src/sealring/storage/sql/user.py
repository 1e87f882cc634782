"""Statements over people."""

_USER = "sub, username, email, roles, claims, administrator, demo, epoch, disabled_at, created_at"

ADD_USER = """
INSERT INTO users (sub, username, username_key, email, email_key, password_hash, roles, claims, administrator, demo,
  epoch, disabled_at, created_at)
VALUES (:sub, :username, :username_key, :email, :email_key, :password_hash, :roles, :claims, :administrator, :demo,
  :epoch, :disabled_at, :created_at)
ON CONFLICT DO NOTHING RETURNING sub
"""
FIND_USER = f"SELECT {_USER} FROM users WHERE sub = :sub AND deleted_at IS NULL"  # noqa: S608 -- our own constant
# A deleted subject is found here, disabled: it must not come back to life under its old sub.
FIND_SUBJECT = f"SELECT {_USER} FROM users WHERE sub = :sub"  # noqa: S608 -- as above
FIND_BY_USERNAME = f"SELECT {_USER}, password_hash FROM users WHERE username_key = :key"  # noqa: S608 -- as above
FIND_BY_EMAIL = f"SELECT {_USER}, password_hash FROM users WHERE email_key = :key"  # noqa: S608 -- as above
FIND_CREDENTIALS = f"SELECT {_USER}, password_hash FROM users WHERE sub = :sub AND deleted_at IS NULL"  # noqa: S608 -- as above
LIST_USERS = f"""
SELECT {_USER} FROM users WHERE deleted_at IS NULL AND sub > :after ORDER BY sub LIMIT :limit
"""  # noqa: S608 -- as above

_NEXT_EPOCH = "CASE WHEN epoch + 1 > :now / 1000 THEN epoch + 1 ELSE :now / 1000 END"

RAISE_EPOCH = f"UPDATE users SET epoch = {_NEXT_EPOCH} WHERE sub = :sub RETURNING epoch"  # noqa: S608 -- as above
RAISE_ALL_EPOCHS = f"UPDATE users SET epoch = {_NEXT_EPOCH}"  # noqa: S608 -- as above
STILL_PROVEN = """
SELECT epoch FROM users
WHERE sub = :sub AND deleted_at IS NULL AND (:proven_epoch IS NULL OR epoch = :proven_epoch AND disabled_at IS NULL)
"""
SET_PASSWORD = f"""
UPDATE users SET password_hash = :password_hash, epoch = {_NEXT_EPOCH} WHERE sub = :sub RETURNING epoch
"""  # noqa: S608 -- as above
REHASH_PASSWORD = """
UPDATE users SET password_hash = :new WHERE sub = :sub AND password_hash = :old RETURNING sub
"""
DISABLE_USER = f"""
UPDATE users SET disabled_at = :now, epoch = {_NEXT_EPOCH} WHERE sub = :sub AND deleted_at IS NULL RETURNING sub
"""  # noqa: S608 -- as above
ENABLE_USER = "UPDATE users SET disabled_at = NULL WHERE sub = :sub AND deleted_at IS NULL RETURNING sub"
SET_ROLES = "UPDATE users SET roles = :roles WHERE sub = :sub AND deleted_at IS NULL RETURNING sub"
SET_CLAIMS = "UPDATE users SET claims = :claims WHERE sub = :sub AND deleted_at IS NULL RETURNING sub"
DELETE_USER = f"""
UPDATE users SET deleted_at = :now, disabled_at = :now, epoch = {_NEXT_EPOCH}, username = NULL, username_key = NULL,
  email = NULL, email_key = NULL, password_hash = NULL, roles = '[]', claims = '{{}}', administrator = 0
WHERE sub = :sub AND deleted_at IS NULL RETURNING sub
"""  # noqa: S608 -- as above
ERASE_PERSONAL_EVENTS = "UPDATE audit_events SET personal = NULL, salt = NULL WHERE sub = :sub"

ADD_LINK = "INSERT INTO administrator_links (digest, expires_at) VALUES (:digest, :expires_at)"
FIND_LINK = "SELECT digest FROM administrator_links WHERE digest = :digest AND spent_at IS NULL AND expires_at > :now"
SPEND_LINK = "UPDATE administrator_links SET spent_at = :now WHERE digest = :digest"
