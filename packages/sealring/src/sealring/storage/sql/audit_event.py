"""Statements over the audit chain."""

# ruff: noqa: S608 -- what is joined here are this file's own constants; every value is a parameter

ADD_EVENT = """
INSERT INTO audit_events (writer, sequence, at, event, outcome, code, actor, sub, client_id, sid, api, network, country,
  error_id, details, personal, salt, personal_digest)
VALUES (:writer, :sequence, :at, :event, :outcome, :code, :actor, :sub, :client_id, :sid, :api, :network, :country,
  :error_id, :details, :personal, :salt, :personal_digest)
"""
FIND_RECENT = "SELECT 1 FROM audit_events WHERE sid = :sid AND code = :code AND at > :since LIMIT 1"
ADD_LINK = """
INSERT INTO audit_links (writer, first_sequence, last_sequence, mac)
VALUES (:writer, :first_sequence, :last_sequence, :mac)
"""
_SEE = """
SELECT position, writer, sequence, at, event, outcome, code, actor, sub, client_id, sid, api, network, country,
  error_id, details, personal, salt, personal_digest
FROM audit_events"""
LIST_EVENTS = _SEE + " WHERE position > :after ORDER BY position LIMIT :limit"
LIST_LAST_EVENTS = "SELECT * FROM (" + _SEE + " ORDER BY position DESC LIMIT :limit) AS newest ORDER BY position"
_WRITERS_WITH_LINKS = """
WITH RECURSIVE writers (writer) AS (
  SELECT min(writer) FROM audit_links
  UNION ALL
  SELECT (SELECT min(audit_links.writer) FROM audit_links WHERE audit_links.writer > writers.writer)
  FROM writers WHERE writers.writer IS NOT NULL
)"""
"""From writer to writer along the key: what a thousand links hold is not read."""
LIST_HEADS = (
    _WRITERS_WITH_LINKS
    + """
SELECT audit_links.writer, audit_links.last_sequence, audit_links.mac
FROM writers JOIN audit_links ON audit_links.writer = writers.writer
WHERE audit_links.last_sequence = (SELECT max(last_sequence) FROM audit_links WHERE writer = writers.writer)
UNION ALL
SELECT writer, last_sequence, link_mac FROM audit_closings
WHERE NOT EXISTS (SELECT 1 FROM audit_links WHERE audit_links.writer = audit_closings.writer)
"""
)
"""The end of each chain: its last link, or where none is left its closing."""
LIST_WRITERS = """
SELECT writer FROM audit_events UNION SELECT writer FROM audit_links UNION SELECT writer FROM audit_closings
ORDER BY writer
"""
LIST_LINKS = """
SELECT writer, first_sequence, last_sequence, mac FROM audit_links
WHERE writer = :writer AND last_sequence > :after ORDER BY last_sequence LIMIT :limit
"""
# The plus: the key is (writer, sequence), and the position only tells whether a row is too new.
LIST_ROWS = (
    _SEE
    + """ WHERE writer = :writer AND sequence > :after AND sequence <= :last AND +position < :newest
ORDER BY sequence LIMIT :limit"""
)
FIND_NEWEST = "SELECT max(position) FROM audit_events"
FIND_CLOSING = "SELECT writer, last_sequence, link_mac, events, at, mac FROM audit_closings WHERE writer = :writer"
_HAS_OLD_LINK = """
  AND NOT EXISTS (
    SELECT 1 FROM audit_events
    WHERE audit_events.writer = writers.writer
      AND audit_events.sequence <= (SELECT min(last_sequence) FROM audit_links WHERE writer = writers.writer)
      AND (audit_events.at >= :before OR audit_events.position >= :newest))
LIMIT 1
"""
# The newest position stays taken, since the next one is made from it, and readers go on after a position.
FIND_OLD_WRITER = (
    _WRITERS_WITH_LINKS
    + """
SELECT writers.writer FROM writers
WHERE writers.writer IS NOT NULL
  AND writers.writer NOT IN (SELECT broken.value FROM json_each(:without) AS broken)"""
    + _HAS_OLD_LINK
)
"""A writer whose first link has no event that is young or the newest of all."""
REPLACE_CLOSING = """
INSERT INTO audit_closings (writer, last_sequence, link_mac, events, at, mac)
VALUES (:writer, :last_sequence, :link_mac, :events, :at, :mac)
ON CONFLICT (writer) DO UPDATE SET
  last_sequence = excluded.last_sequence, link_mac = excluded.link_mac, events = excluded.events, at = excluded.at,
  mac = excluded.mac
WHERE audit_closings.mac = :previous
"""
REMOVE_EVENTS = "DELETE FROM audit_events WHERE writer = :writer AND sequence <= :last_sequence"
REMOVE_LINKS = "DELETE FROM audit_links WHERE writer = :writer AND last_sequence <= :last_sequence"

# PostgreSQL: positions are taken from one row, which is held to COMMIT.
MOVE_POSITION = "UPDATE audit_head SET position = position + :count RETURNING position"
LOCK_POSITION = "SELECT position FROM audit_head FOR UPDATE"
ADD_EVENT_AT = """
INSERT INTO audit_events (position, writer, sequence, at, event, outcome, code, actor, sub, client_id, sid, api,
  network, country, error_id, details, personal, salt, personal_digest)
VALUES (:position, :writer, :sequence, :at, :event, :outcome, :code, :actor, :sub, :client_id, :sid, :api,
  :network, :country, :error_id, :details, :personal, :salt, :personal_digest)
"""
FIND_OLD_WRITER_BUT = (
    _WRITERS_WITH_LINKS
    + """
SELECT writers.writer FROM writers
WHERE writers.writer IS NOT NULL AND writers.writer <> ALL (CAST(:without AS TEXT[]))"""
    + _HAS_OLD_LINK
)
