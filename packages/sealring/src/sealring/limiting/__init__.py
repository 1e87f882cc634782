"""Counters that slow down guessing. May import `ports`; in memory today, in Valkey for many nodes."""
