"""Statements over sessions: one row each (SECURITY A3)."""

# ruff: noqa: S608 -- what is joined here are this file's own constants; every value is a parameter

_STANDS = """
  EXISTS (SELECT 1 FROM users WHERE users.sub = sessions.sub AND users.epoch = sessions.subject_epoch
            AND users.disabled_at IS NULL)
  AND EXISTS (SELECT 1 FROM clients WHERE clients.client_id = sessions.client_id
                AND clients.epoch = sessions.client_epoch AND clients.disabled_at IS NULL)"""

_LIVES = " ended_at IS NULL AND idle_expires_at > :now AND absolute_expires_at > :now AND" + _STANDS

_GRANT = """ sessions.sub, sessions.sid, sessions.generation, sessions.mac_key_id, sessions.scope, sessions.resource,
  sessions.auth_time, sessions.amr, sessions.claims, sessions.sso_id, sessions.acr, sessions.requested_claims,
  (SELECT roles FROM users WHERE users.sub = sessions.sub),
  (SELECT claims FROM users WHERE users.sub = sessions.sub),
  sessions.subject_epoch
"""
_RETURNING_GRANT = " RETURNING" + _GRANT

CREATE_SESSION = """
INSERT INTO sessions (key, sid, sub, client_id, subject_epoch, client_epoch, generation, mac_key_id,
  rotated_1, rotated_2, rotated_3, rotated_4, repeats, binding_digest, scope, resource, resources, auth_time, amr,
  claims, created_at, last_used_at, idle_expires_at, absolute_expires_at, network, user_agent, sso_id, acr,
  requested_claims, logout_due_at)
SELECT :key, :sid, :sub, :client_id, :subject_epoch, :client_epoch, 0, :mac_key_id,
  s.service_clock, s.service_clock, s.service_clock, s.service_clock, 0, :binding_digest, :scope, :resource,
  :resources, :auth_time, :amr, :claims, :now, :now, :idle_expires_at, :absolute_expires_at, :network, :user_agent,
  :sso_id, :acr, :requested_claims, :logout_due_at
FROM store_state AS s
WHERE EXISTS (SELECT 1 FROM users WHERE sub = :sub AND epoch = :subject_epoch AND disabled_at IS NULL)
  AND EXISTS (SELECT 1 FROM clients WHERE client_id = :client_id AND epoch = :client_epoch AND disabled_at IS NULL)
RETURNING sid
"""

# PostgreSQL: many callers at once. A sid is its caller's own, so the rows that came to be say whose.
CREATE_SESSIONS = """
INSERT INTO sessions (key, sid, sub, client_id, subject_epoch, client_epoch, generation, mac_key_id,
  rotated_1, rotated_2, rotated_3, rotated_4, repeats, binding_digest, scope, resource, resources, auth_time, amr,
  claims, created_at, last_used_at, idle_expires_at, absolute_expires_at, network, user_agent, sso_id, acr,
  requested_claims, logout_due_at)
SELECT asked.key, asked.sid, asked.sub, asked.client_id, asked.subject_epoch, asked.client_epoch, 0, asked.mac_key_id,
  s.service_clock, s.service_clock, s.service_clock, s.service_clock, 0, asked.binding_digest, asked.scope,
  asked.resource, asked.resources, asked.auth_time, asked.amr, asked.claims, asked.now, asked.now,
  asked.idle_expires_at, asked.absolute_expires_at, asked.network, asked.user_agent, asked.sso_id, asked.acr,
  asked.requested_claims, asked.logout_due_at
FROM store_state AS s, unnest(CAST(:key AS BYTEA[]), CAST(:sid AS TEXT[]), CAST(:sub AS TEXT[]),
    CAST(:client_id AS TEXT[]), CAST(:subject_epoch AS BIGINT[]), CAST(:client_epoch AS BIGINT[]),
    CAST(:mac_key_id AS BIGINT[]), CAST(:binding_digest AS BYTEA[]), CAST(:scope AS TEXT[]),
    CAST(:resource AS TEXT[]), CAST(:resources AS TEXT[]), CAST(:auth_time AS BIGINT[]), CAST(:amr AS TEXT[]),
    CAST(:claims AS TEXT[]), CAST(:now AS BIGINT[]), CAST(:idle_expires_at AS BIGINT[]),
    CAST(:absolute_expires_at AS BIGINT[]), CAST(:network AS TEXT[]), CAST(:user_agent AS TEXT[]),
    CAST(:sso_id AS TEXT[]), CAST(:acr AS TEXT[]), CAST(:requested_claims AS TEXT[]),
    CAST(:logout_due_at AS BIGINT[]))
  AS asked (key, sid, sub, client_id, subject_epoch, client_epoch, mac_key_id, binding_digest, scope, resource,
    resources, auth_time, amr, claims, now, idle_expires_at, absolute_expires_at, network, user_agent, sso_id, acr,
    requested_claims, logout_due_at)
WHERE EXISTS (SELECT 1 FROM users
    WHERE users.sub = asked.sub AND users.epoch = asked.subject_epoch AND users.disabled_at IS NULL)
  AND EXISTS (SELECT 1 FROM clients
    WHERE clients.client_id = asked.client_id AND clients.epoch = asked.client_epoch AND clients.disabled_at IS NULL)
RETURNING sid
"""

# Every condition of Rotate stands here, so that the successful refresh is this one statement and nothing else.
ADVANCE_FAMILY = (
    """
UPDATE sessions SET
  generation = generation + 1, mac_key_id = :mac_key_id, repeats = 0,
  rotated_4 = rotated_3, rotated_3 = rotated_2, rotated_2 = rotated_1, rotated_1 = :service_now,
  last_used_at = :now, network = :network, user_agent = :user_agent,
  idle_expires_at = CASE WHEN :now + :idle < absolute_expires_at THEN :now + :idle ELSE absolute_expires_at END
WHERE key = :key AND generation = :generation AND client_id = :client_id
  AND binding_digest IS NOT DISTINCT FROM :binding_digest
  AND (:scope IS NULL OR NOT EXISTS (
    SELECT 1 FROM json_each(:scope) AS asked
    WHERE asked.value NOT IN (SELECT granted.value FROM json_each(sessions.scope) AS granted)))
  AND (:resource IS NULL OR :resource IN (SELECT granted.value FROM json_each(sessions.resources) AS granted))
  AND"""
    + _LIVES
    + _RETURNING_GRANT
)

# PostgreSQL: many callers at once, each by its place; the same conditions, read after the rows are held.
LOCK_FAMILIES = "SELECT key FROM sessions WHERE key = ANY (:keys) ORDER BY key FOR UPDATE"
ADVANCE_FAMILIES = (
    """
UPDATE sessions SET
  generation = sessions.generation + 1, mac_key_id = asked.mac_key_id, repeats = 0,
  rotated_4 = rotated_3, rotated_3 = rotated_2, rotated_2 = rotated_1, rotated_1 = asked.service_now,
  last_used_at = asked.now, network = asked.network, user_agent = asked.user_agent,
  idle_expires_at = CASE WHEN asked.now + asked.idle < absolute_expires_at
    THEN asked.now + asked.idle ELSE absolute_expires_at END
FROM unnest(CAST(:key AS BYTEA[]), CAST(:generation AS BIGINT[]), CAST(:client_id AS TEXT[]),
    CAST(:binding_digest AS BYTEA[]), CAST(:scope AS TEXT[]), CAST(:resource AS TEXT[]), CAST(:network AS TEXT[]),
    CAST(:user_agent AS TEXT[]), CAST(:mac_key_id AS BIGINT[]), CAST(:idle AS BIGINT[]), CAST(:now AS BIGINT[]),
    CAST(:service_now AS BIGINT[]))
  WITH ORDINALITY AS asked (key, generation, client_id, binding_digest, scope, resource, network, user_agent,
    mac_key_id, idle, now, service_now, place)
WHERE sessions.key = asked.key AND sessions.generation = asked.generation AND sessions.client_id = asked.client_id
  AND sessions.binding_digest IS NOT DISTINCT FROM asked.binding_digest
  AND (asked.scope IS NULL OR CAST(sessions.scope AS JSONB) @> CAST(asked.scope AS JSONB))
  AND (asked.resource IS NULL OR CAST(sessions.resources AS JSONB) ? asked.resource)
  AND ended_at IS NULL AND idle_expires_at > asked.now AND absolute_expires_at > asked.now AND"""
    + _STANDS
    + " RETURNING asked.place,"
    + _GRANT
)

# Nobody was given the successor, so the token before it is current again. A repeat in between has handed it out.
RETREAT_FAMILY = """
UPDATE sessions SET
  generation = generation - 1, mac_key_id = :mac_key_id,
  rotated_1 = rotated_2, rotated_2 = rotated_3, rotated_3 = rotated_4
WHERE sid = :sid AND generation = :generation AND repeats = 0 AND ended_at IS NULL
RETURNING sid
"""

COUNT_REPEAT = (
    """
UPDATE sessions SET repeats = repeats + 1, last_used_at = :now, shared_generation = :shared_generation
WHERE key = :key AND generation = :generation AND repeats = :repeats AND"""
    + _LIVES
    + _RETURNING_GRANT
)

FIND_FAMILY = """
SELECT key, sid, sessions.sub, sessions.client_id, generation, mac_key_id, scope, resource, resources,
  sessions.created_at, idle_expires_at, absolute_expires_at, rotated_1, rotated_2, rotated_3, rotated_4, repeats,
  shared_generation, binding_digest, network, user_agent, subject_epoch, sessions.client_epoch,
  (SELECT epoch FROM users WHERE users.sub = sessions.sub AND users.disabled_at IS NULL),
  (SELECT epoch FROM clients WHERE clients.client_id = sessions.client_id AND clients.disabled_at IS NULL),
  ended_at, ended_reason
FROM sessions WHERE key = :key
"""

_END = "UPDATE sessions SET ended_at = :now, ended_reason = :reason WHERE"

# Also a session that has expired: its access tokens may outlive it, and reuse is told before expiry.
END_SESSION = _END + " sid = :sid AND ended_at IS NULL AND" + _STANDS + " RETURNING resources"
END_SESSIONS_OF_SUBJECT = _END + " sub = :sub AND sid IS DISTINCT FROM :kept AND" + _LIVES + " RETURNING sid"
END_SESSIONS_OF_CLIENT = _END + " client_id = :client_id AND" + _LIVES + " RETURNING sid"
_STANDING = " AND ended_at IS NULL AND" + _STANDS + " RETURNING sid, resources"
END_SESSIONS_OF_SSO = _END + " sso_id = :sso_id" + _STANDING + ", client_id"
END_SESSIONS_OF_CONSENT = _END + " sub = :sub AND client_id = :client_id" + _STANDING
END_SESSIONS_OF_MAC_KEY = _END + " mac_key_id = :mac_key_id AND" + _LIVES + " RETURNING sid, resources"
# PostgreSQL: whoever ends several sessions takes them in the order in which batches do.
_LOCK = "SELECT count(*) FROM (SELECT key FROM sessions WHERE"
_IN_ORDER = " ORDER BY key FOR UPDATE) AS held"
LOCK_SESSIONS_OF_SUBJECT = _LOCK + " sub = :sub" + _IN_ORDER
LOCK_SESSIONS_OF_SSO = _LOCK + " sso_id = :sso_id AND ended_at IS NULL" + _IN_ORDER
LOCK_SESSIONS_OF_CLIENT = _LOCK + " client_id = :client_id AND ended_at IS NULL" + _IN_ORDER
LOCK_SESSIONS_OF_MAC_KEY = _LOCK + " mac_key_id = :mac_key_id AND ended_at IS NULL" + _IN_ORDER
LOCK_ALL_SESSIONS = _LOCK + " ended_at IS NULL" + _IN_ORDER
# Every API that tokens of a subject may name: its rows stay longer than its tokens live.
LIST_RESOURCES_OF_SUBJECT = "SELECT DISTINCT resources FROM sessions WHERE sub = :sub"
END_ALL_SESSIONS = _END + _LIVES + " RETURNING sid"

# The session in which people change their password lives on under the new epoch with a new family: whoever copied
# the old refresh token holds nothing.
REPLACE_FAMILY = """
UPDATE sessions SET key = :key, subject_epoch = :subject_epoch, generation = 0, mac_key_id = :mac_key_id, repeats = 0,
  shared_generation = NULL, last_used_at = :now, auth_time = :auth_time, amr = :amr,
  binding_digest = :binding_digest
WHERE sid = :sid AND sub = :sub RETURNING sid
"""

_SEE = """
SELECT sid, sub, client_id, scope, resource, created_at, last_used_at,
  CASE WHEN idle_expires_at < absolute_expires_at THEN idle_expires_at ELSE absolute_expires_at END,
  network, user_agent, generation, auth_time, amr, claims, sso_id, acr, requested_claims
FROM sessions WHERE"""

FIND_LIVE = _SEE + " sid = :sid AND" + _LIVES
# All that an access token names is looked at together: for introspection this is the one reading behind a token.
STANDS_BEHIND = (
    """
SELECT 1 FROM sessions WHERE sid = :sid AND sub = :sub AND client_id = :client_id AND subject_epoch = :sub_epoch
  AND NOT EXISTS (SELECT 1 FROM revocations WHERE id = :jti AND (until IS NULL OR until > :now)) AND"""
    + _LIVES
)
# One subject and everybody are two statements: one that served both could use no index.
LIST_LIVE = _SEE + _LIVES + " ORDER BY key DESC LIMIT :limit"
LIST_LIVE_OF_SUBJECT = _SEE + " sub = :sub AND" + _LIVES + " ORDER BY key DESC LIMIT :limit"
COUNT_LIVE = "SELECT count(*) FROM sessions WHERE" + _LIVES
COUNT_LIVE_OF_SUBJECT = "SELECT count(*) FROM sessions WHERE sub = :sub AND" + _LIVES

LATEST_IDLE_EXPIRY = """
SELECT max(CASE WHEN idle_expires_at < absolute_expires_at THEN idle_expires_at ELSE absolute_expires_at END)
FROM sessions WHERE mac_key_id = :mac_key_id AND ended_at IS NULL
"""

FORGET_EXPIRED = """
DELETE FROM sessions WHERE key IN (
  SELECT key FROM sessions WHERE absolute_expires_at <= :before ORDER BY absolute_expires_at LIMIT :limit)
"""
