"""The law: RFC messages parsed, decisions, state tables. Pure: no I/O, no clock, no dice.

May import `sealring_verify`'s pure part and nothing else of ours.
"""
