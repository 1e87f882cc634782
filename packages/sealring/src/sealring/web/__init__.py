"""Bytes to values and back: the HTTP server, routes, endpoints, pages. May import services, browser and protocol."""
