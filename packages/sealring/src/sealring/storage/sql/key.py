"""Statements over keys."""

FIND_VERSION = "SELECT version FROM key_version"
# Whoever decided on older keys than these changes nothing: it reads again, and decides again.
RAISE_VERSION = "UPDATE key_version SET version = version + 1 WHERE version = :version RETURNING version"
WRITE_KEY = """
INSERT INTO keys (kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at, api, activated_at, leaves_at)
VALUES (:kid, :purpose, :alg, :state, :mac_key_id, :sealed, :public_jwk, :created_at, :api, :activated_at, :leaves_at)
ON CONFLICT (kid) DO UPDATE SET state = excluded.state, mac_key_id = excluded.mac_key_id, sealed = excluded.sealed,
  activated_at = excluded.activated_at, leaves_at = excluded.leaves_at
"""
LIST_KEYS = """
SELECT kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at, api, activated_at, leaves_at
FROM keys ORDER BY created_at, kid
"""

LIST_STANDING_KEYS = "SELECT purpose, sealed FROM standing_keys ORDER BY purpose"
WRITE_STANDING_KEY = """
INSERT INTO standing_keys (purpose, sealed) VALUES (:purpose, :sealed)
ON CONFLICT (purpose) DO UPDATE SET sealed = excluded.sealed
"""
