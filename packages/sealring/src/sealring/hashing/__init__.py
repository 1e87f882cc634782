"""Argon2id off the event loop: threads behind a bounded queue. May import `ports` and `credentials`."""
