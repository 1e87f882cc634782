"""Statements over clients. A deleted client stays as a bare row, so that its sessions still point somewhere.

No client has the id of a person, deleted ones included: an access token's `sub` is one or the other (RFC 9068 §5).
"""

# ruff: noqa: S608 -- what is joined here are this file's own constants; every value is a parameter

_SECONDS = "CAST(:now AS BIGINT) / 1000"
_RAISED_EPOCH = " epoch = CASE WHEN epoch + 1 > " + _SECONDS + " THEN epoch + 1 ELSE " + _SECONDS + " END"
_SEE = "SELECT registration, epoch, disabled_at, created_at FROM clients WHERE deleted_at IS NULL"
_IF_LIVE_RETURNING_EPOCH = " WHERE client_id = :client_id AND deleted_at IS NULL RETURNING epoch"
_IF_KNOWN = " WHERE client_id = :client_id AND deleted_at IS NULL RETURNING client_id"

ADD_CLIENT = """
INSERT INTO clients (client_id, registration, epoch, created_at)
SELECT :client_id, :registration, :epoch, :created_at
WHERE NOT EXISTS (SELECT 1 FROM users WHERE sub = :client_id)
ON CONFLICT (client_id) DO UPDATE SET registration = :registration, disabled_at = NULL, deleted_at = NULL,
  created_at = :created_at, epoch = CASE WHEN clients.epoch + 1 > :epoch THEN clients.epoch + 1 ELSE :epoch END
WHERE clients.deleted_at IS NOT NULL
RETURNING client_id
"""
FIND_CLIENT = _SEE + " AND client_id = :client_id"
COUNT_SELF_REGISTERED = """
SELECT count(*) FROM clients
WHERE deleted_at IS NULL AND json_extract(registration, '$.self_registered') = 1
"""
LIST_CLIENTS = _SEE + " ORDER BY client_id"
LIST_INITIATING = (
    _SEE
    + """
  AND disabled_at IS NULL AND json_extract(registration, '$.pages.initiate_login_uri') IS NOT NULL
ORDER BY json_extract(registration, '$.self_registered'), client_id LIMIT :limit
"""
)
REPLACE_CLIENT = "UPDATE clients SET registration = :registration" + _IF_KNOWN
COMPROMISE_CLIENT = "UPDATE clients SET registration = :registration," + _RAISED_EPOCH + _IF_LIVE_RETURNING_EPOCH
RAISE_CLIENT_EPOCH = "UPDATE clients SET" + _RAISED_EPOCH + _IF_LIVE_RETURNING_EPOCH
DISABLE_CLIENT = "UPDATE clients SET disabled_at = :now," + _RAISED_EPOCH + _IF_LIVE_RETURNING_EPOCH
ENABLE_CLIENT = "UPDATE clients SET disabled_at = NULL" + _IF_KNOWN
DELETE_CLIENT = "UPDATE clients SET deleted_at = :now, disabled_at = :now," + _RAISED_EPOCH + _IF_LIVE_RETURNING_EPOCH
RAISE_ALL_CLIENT_EPOCHS = "UPDATE clients SET" + _RAISED_EPOCH + " RETURNING client_id, epoch"
FIND_DELIVERIES = """
SELECT DISTINCT COALESCE(json_extract(clients.registration, '$.token_delivery'), 'body')
FROM clients, json_each(clients.registration, '$.origins') AS origin
WHERE origin.value = :origin AND clients.disabled_at IS NULL AND clients.deleted_at IS NULL
"""

# PostgreSQL:
COUNT_SELF_REGISTERED_IN_JSON = """
SELECT count(*) FROM clients
WHERE deleted_at IS NULL AND CAST(registration AS JSON) ->> 'self_registered' = 'true'
"""
LIST_INITIATING_IN_JSON = (
    _SEE
    + """
  AND disabled_at IS NULL AND CAST(registration AS JSON) -> 'pages' ->> 'initiate_login_uri' IS NOT NULL
ORDER BY CAST(registration AS JSON) ->> 'self_registered', client_id LIMIT :limit
"""
)
LOCK_CLIENT = "SELECT client_id FROM clients WHERE client_id = :client_id FOR UPDATE"
FIND_DELIVERIES_IN_JSON = """
SELECT DISTINCT COALESCE(CAST(registration AS JSON) ->> 'token_delivery', 'body')
FROM clients WHERE disabled_at IS NULL AND deleted_at IS NULL AND EXISTS (
  SELECT 1 FROM json_array_elements_text(CAST(registration AS JSON) -> 'origins') AS origin (value)
  WHERE origin.value = :origin)
"""
