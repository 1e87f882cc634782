"""Statements over what the store knows about itself."""

CREATE_STATE = """
INSERT INTO store_state (id, incarnation, feed_number, service_clock, demo) VALUES (1, :incarnation, 0, 0, :demo)
"""
FIND_STATE = "SELECT incarnation, feed_number, service_clock, demo FROM store_state"
BEAT = "UPDATE store_state SET service_clock = :service_now WHERE service_clock < :service_now"
REPLACE_INCARNATION = "UPDATE store_state SET incarnation = :incarnation"
