"""Statements over the audit chain."""

ADD_EVENT = """
INSERT INTO audit_events (writer, sequence, at, event, outcome, code, actor, sub, client_id, sid, api, network, country,
  error_id, details, personal, salt, personal_digest)
VALUES (:writer, :sequence, :at, :event, :outcome, :code, :actor, :sub, :client_id, :sid, :api, :network, :country,
  :error_id, :details, :personal, :salt, :personal_digest)
"""
ADD_LINK = """
INSERT INTO audit_links (writer, first_sequence, last_sequence, mac)
VALUES (:writer, :first_sequence, :last_sequence, :mac)
"""
_EVENT = """writer, sequence, at, event, outcome, code, actor, sub, client_id, sid, api, network, country, error_id,
  details, personal, salt, personal_digest"""
LIST_EVENTS = f"SELECT position, {_EVENT} FROM audit_events WHERE position > :after ORDER BY position LIMIT :limit"  # noqa: S608 -- our own constant
LIST_LAST_EVENTS = f"""
SELECT * FROM (SELECT position, {_EVENT} FROM audit_events ORDER BY position DESC LIMIT :limit) AS newest
ORDER BY position
"""  # noqa: S608 -- as above
LIST_CHAIN = f"SELECT position, {_EVENT} FROM audit_events ORDER BY writer, sequence"  # noqa: S608 -- as above
LIST_LINKS = "SELECT writer, first_sequence, last_sequence, mac FROM audit_links ORDER BY writer, last_sequence"
"""Every link of every chain, in order."""
