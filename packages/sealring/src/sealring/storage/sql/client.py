"""Statements over clients. A deleted client stays as a bare row, so that its sessions still point somewhere."""

_NEXT_EPOCH = "CASE WHEN epoch + 1 > :now / 1000 THEN epoch + 1 ELSE :now / 1000 END"
_CLIENT = "registration, epoch, disabled_at, created_at"

ADD_CLIENT = """
INSERT INTO clients (client_id, registration, epoch, created_at) VALUES (:client_id, :registration, :epoch, :created_at)
ON CONFLICT (client_id) DO UPDATE SET registration = :registration, disabled_at = NULL, deleted_at = NULL,
  created_at = :created_at, epoch = CASE WHEN clients.epoch + 1 > :epoch THEN clients.epoch + 1 ELSE :epoch END
WHERE clients.deleted_at IS NOT NULL
RETURNING client_id
"""
FIND_CLIENT = f"SELECT {_CLIENT} FROM clients WHERE client_id = :client_id AND deleted_at IS NULL"  # noqa: S608 -- our own constant
LIST_CLIENTS = f"SELECT {_CLIENT} FROM clients WHERE deleted_at IS NULL ORDER BY client_id"  # noqa: S608 -- as above
REPLACE_CLIENT = """
UPDATE clients SET registration = :registration WHERE client_id = :client_id AND deleted_at IS NULL RETURNING client_id
"""
DISABLE_CLIENT = f"""
UPDATE clients SET disabled_at = :now, epoch = {_NEXT_EPOCH}
WHERE client_id = :client_id AND deleted_at IS NULL RETURNING client_id
"""  # noqa: S608 -- as above
ENABLE_CLIENT = """
UPDATE clients SET disabled_at = NULL WHERE client_id = :client_id AND deleted_at IS NULL RETURNING client_id
"""
DELETE_CLIENT = f"""
UPDATE clients SET deleted_at = :now, disabled_at = :now, epoch = {_NEXT_EPOCH}
WHERE client_id = :client_id AND deleted_at IS NULL RETURNING client_id
"""  # noqa: S608 -- as above
RAISE_ALL_CLIENT_EPOCHS = f"UPDATE clients SET epoch = {_NEXT_EPOCH}"  # noqa: S608 -- as above
FIND_ORIGIN = """
SELECT 1 FROM clients, json_each(clients.registration, '$.origins') AS origin
WHERE origin.value = :origin AND clients.disabled_at IS NULL AND clients.deleted_at IS NULL LIMIT 1
"""
