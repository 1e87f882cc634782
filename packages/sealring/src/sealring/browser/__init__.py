"""Browser: what proves a browser's request and protects its pages; pure, imports nothing of ours."""
