"""Statements over keys."""

# Two nodes that start at once both find the stock short; the second one's key is not kept.
ADD_KEY = """
INSERT INTO keys (kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at)
SELECT :kid, :purpose, :alg, :state, :mac_key_id, :sealed, :public_jwk, :created_at
WHERE NOT EXISTS (SELECT 1 FROM keys WHERE purpose = :purpose AND state = :state)
RETURNING kid
"""
LIST_KEYS = (
    "SELECT kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at FROM keys ORDER BY created_at, kid"
)
