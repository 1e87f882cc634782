"""Statements over log-outs that clients have not been told of: the ended sessions themselves."""

LIST_DUE = """
SELECT sid, sub, client_id, ended_at, logout_attempts
FROM sessions WHERE logout_due_at <= :now AND ended_at IS NOT NULL
ORDER BY logout_due_at LIMIT :limit
"""
POSTPONE = "UPDATE sessions SET logout_due_at = :due_at, logout_attempts = logout_attempts + 1 WHERE sid = :sid"
CLOSE = "UPDATE sessions SET logout_due_at = NULL WHERE sid = :sid AND logout_due_at IS NOT NULL RETURNING sid"
