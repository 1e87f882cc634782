"""Doors: one thin file for each web framework, imported only by who uses it. May import `verifier` and `bearer`."""
