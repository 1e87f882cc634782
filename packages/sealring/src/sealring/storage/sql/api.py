"""Statements over APIs."""

ADD_API = """
INSERT INTO apis (identifier, registration, created_at) VALUES (:identifier, :registration, :created_at)
ON CONFLICT DO NOTHING RETURNING identifier
"""
FIND_API = "SELECT registration FROM apis WHERE identifier = :identifier"
LIST_APIS = "SELECT registration FROM apis ORDER BY identifier"
REPLACE_API = "UPDATE apis SET registration = :registration WHERE identifier = :identifier RETURNING identifier"
DELETE_API = "DELETE FROM apis WHERE identifier = :identifier RETURNING identifier"

# PostgreSQL:
LOCK_API = "SELECT identifier FROM apis WHERE identifier = :identifier FOR UPDATE"
