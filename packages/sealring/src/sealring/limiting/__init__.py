"""Counters that slow down guessing. May import `ports`; in memory, so a restart forgets them."""
