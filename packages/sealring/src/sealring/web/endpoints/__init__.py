"""One file per endpoint: read the message, call the act, give the answer."""
