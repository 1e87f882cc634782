"""Statements over what the store knows about itself."""

CREATE_STATE = """
INSERT INTO store_state (id, incarnation, feed_number, service_clock, demo) VALUES (1, :incarnation, 0, 0, :demo)
"""
FIND_STATE = "SELECT incarnation, feed_number, service_clock, demo FROM store_state"
BEAT = "UPDATE store_state SET service_clock = :service_now WHERE service_clock < :service_now"
REPLACE_INCARNATION = "UPDATE store_state SET incarnation = :incarnation"

# PostgreSQL:
FIND_CLOCK = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"

# Sealring registers its own API itself, at the first start under an issuer and when a copy takes a new one.
FIND_FORMER_ISSUER = """
SELECT api FROM audit_events WHERE event = 'api_added' AND actor = 'sealring' ORDER BY position DESC LIMIT 1
"""
DESTROY_KEYS = "DELETE FROM keys"
DESTROY_STANDING_KEYS = "DELETE FROM standing_keys"
DESTROY_LINKS = "DELETE FROM administrator_links"
