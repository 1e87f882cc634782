"""Pages for people: HTML by Jinja2 under a policy without inline script or style."""
