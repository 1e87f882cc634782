"""The demo: its own data, its playground page and the example API. Started by `sealring demo` alone (SECURITY D7)."""
