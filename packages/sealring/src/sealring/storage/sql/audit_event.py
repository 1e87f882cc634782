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
LIST_CHAIN = _SEE + " ORDER BY writer, sequence"
# From writer to writer along the key, and to the end of each: what a thousand links hold is not read.
LIST_HEADS = """
WITH RECURSIVE writers (writer) AS (
  SELECT min(writer) FROM audit_links
  UNION ALL
  SELECT (SELECT min(audit_links.writer) FROM audit_links WHERE audit_links.writer > writers.writer)
  FROM writers WHERE writers.writer IS NOT NULL
)
SELECT audit_links.writer, audit_links.last_sequence, audit_links.mac
FROM writers JOIN audit_links ON audit_links.writer = writers.writer
WHERE audit_links.last_sequence = (SELECT max(last_sequence) FROM audit_links WHERE writer = writers.writer)
"""
LIST_LINKS = "SELECT writer, first_sequence, last_sequence, mac FROM audit_links ORDER BY writer, last_sequence"
"""Every link of every chain, in order."""
