"""The guarded fetcher: every call to other people's servers. May import `ports` and `protocol`."""
