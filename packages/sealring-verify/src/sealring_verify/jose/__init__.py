"""The only JOSE code here: base64url, JSON objects, keys, algorithms and compact JWS. May import `errors` alone."""
