"""The inspector: what a token says and what a reviewer says of it, offline. May import everything but the doors.

`python -m sealring_verify.inspect`, or `sealring inspect`; the same as one HTML file: `page`.
"""
