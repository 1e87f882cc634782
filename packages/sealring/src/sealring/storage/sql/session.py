"""Statements over sessions: one row each (SECURITY A3)."""

_STANDS = """
  EXISTS (SELECT 1 FROM users WHERE users.sub = sessions.sub AND users.epoch = sessions.subject_epoch
            AND users.disabled_at IS NULL)
  AND EXISTS (SELECT 1 FROM clients WHERE clients.client_id = sessions.client_id
                AND clients.epoch = sessions.client_epoch AND clients.disabled_at IS NULL)"""

_LIVES = "ended_at IS NULL AND idle_expires_at > :now AND absolute_expires_at > :now AND" + _STANDS

_GRANT = """sub, sid, generation, mac_key_id, scope, resource, auth_time, amr, claims,
  (SELECT roles FROM users WHERE users.sub = sessions.sub),
  (SELECT claims FROM users WHERE users.sub = sessions.sub),
  subject_epoch"""

CREATE_SESSION = """
INSERT INTO sessions (key, sid, sub, client_id, subject_epoch, client_epoch, generation, mac_key_id,
  rotated_1, rotated_2, rotated_3, rotated_4, repeats, binding_digest, scope, resource, resources, auth_time, amr,
  claims, created_at, last_used_at, idle_expires_at, absolute_expires_at, network, user_agent)
SELECT :key, :sid, :sub, :client_id, :subject_epoch, :client_epoch, 0, :mac_key_id,
  s.service_clock, s.service_clock, s.service_clock, s.service_clock, 0, :binding_digest, :scope, :resource,
  :resources, :auth_time, :amr, :claims, :now, :now, :idle_expires_at, :absolute_expires_at, :network, :user_agent
FROM store_state AS s
WHERE EXISTS (SELECT 1 FROM users WHERE sub = :sub AND epoch = :subject_epoch AND disabled_at IS NULL)
  AND EXISTS (SELECT 1 FROM clients WHERE client_id = :client_id AND epoch = :client_epoch AND disabled_at IS NULL)
RETURNING sid
"""

# Every condition of Rotate stands here, so that the successful refresh is this one statement and nothing else.
ADVANCE_FAMILY = f"""
UPDATE sessions SET
  generation = generation + 1, mac_key_id = :mac_key_id, repeats = 0,
  rotated_4 = rotated_3, rotated_3 = rotated_2, rotated_2 = rotated_1, rotated_1 = :service_now,
  last_used_at = :now, network = :network, user_agent = :user_agent,
  idle_expires_at = CASE WHEN :now + :idle < absolute_expires_at THEN :now + :idle ELSE absolute_expires_at END
WHERE key = :key AND generation = :generation AND client_id = :client_id
  AND binding_digest IS NOT DISTINCT FROM :binding_digest
  AND {_LIVES}
  AND (:scope IS NULL OR NOT EXISTS (
    SELECT 1 FROM json_each(:scope) AS asked
    WHERE asked.value NOT IN (SELECT granted.value FROM json_each(sessions.scope) AS granted)))
  AND (:resource IS NULL OR :resource IN (SELECT granted.value FROM json_each(sessions.resources) AS granted))
RETURNING {_GRANT}
"""  # noqa: S608 -- joined from this file's own constants; every value is a parameter

COUNT_REPEAT = f"""
UPDATE sessions SET repeats = repeats + 1, last_used_at = :now, shared_generation = :shared_generation
WHERE key = :key AND generation = :generation AND repeats = :repeats AND {_LIVES}
RETURNING {_GRANT}
"""  # noqa: S608 -- as above

FIND_FAMILY = """
SELECT key, sid, sessions.sub, sessions.client_id, generation, mac_key_id, scope, resource, resources,
  sessions.created_at, idle_expires_at, absolute_expires_at, rotated_1, rotated_2, rotated_3, rotated_4, repeats,
  shared_generation, binding_digest, network, user_agent, subject_epoch, sessions.client_epoch,
  (SELECT epoch FROM users WHERE users.sub = sessions.sub AND users.disabled_at IS NULL),
  (SELECT epoch FROM clients WHERE clients.client_id = sessions.client_id AND clients.disabled_at IS NULL),
  ended_at, ended_reason
FROM sessions WHERE key = :key
"""

END_SESSION = f"""
UPDATE sessions SET ended_at = :now, ended_reason = :reason WHERE sid = :sid AND {_LIVES} RETURNING sid
"""  # noqa: S608 -- as above

END_SESSIONS_OF_SUBJECT = f"""
UPDATE sessions SET ended_at = :now, ended_reason = :reason
WHERE sub = :sub AND sid IS DISTINCT FROM :kept AND {_LIVES} RETURNING sid
"""  # noqa: S608 -- as above

END_SESSIONS_OF_CLIENT = f"""
UPDATE sessions SET ended_at = :now, ended_reason = :reason WHERE client_id = :client_id AND {_LIVES} RETURNING sid
"""  # noqa: S608 -- as above

END_ALL_SESSIONS = f"""
UPDATE sessions SET ended_at = :now, ended_reason = :reason WHERE {_LIVES} RETURNING sid
"""  # noqa: S608 -- as above

# The session in which people change their password lives on under the new epoch with a new family: whoever copied
# the old refresh token holds nothing.
REPLACE_FAMILY = """
UPDATE sessions SET key = :key, subject_epoch = :subject_epoch, generation = 0, mac_key_id = :mac_key_id, repeats = 0,
  last_used_at = :now, auth_time = :auth_time, amr = :amr
WHERE sid = :sid AND sub = :sub RETURNING sid
"""

_SEEN = """sid, sub, client_id, scope, resource, created_at, last_used_at,
  CASE WHEN idle_expires_at < absolute_expires_at THEN idle_expires_at ELSE absolute_expires_at END,
  network, user_agent, generation, auth_time, amr, claims"""

FIND_LIVE = f"SELECT {_SEEN} FROM sessions WHERE sid = :sid AND {_LIVES}"  # noqa: S608 -- as above

LIST_LIVE = f"""
SELECT {_SEEN} FROM sessions WHERE (:sub IS NULL OR sub = :sub) AND {_LIVES} ORDER BY key DESC LIMIT :limit
"""  # noqa: S608 -- as above

COUNT_LIVE = f"SELECT count(*) FROM sessions WHERE (:sub IS NULL OR sub = :sub) AND {_LIVES}"  # noqa: S608 -- as above

FORGET_EXPIRED = """
DELETE FROM sessions WHERE key IN (
  SELECT key FROM sessions WHERE absolute_expires_at <= :now ORDER BY absolute_expires_at LIMIT :limit)
"""
