"""Proof Key for Code Exchange (RFC 7636): S256 and nothing else."""

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256

CODE_CHALLENGE_METHODS = ("S256",)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def is_code_challenge(text: str) -> bool:
    """Say whether a text can be an S256 challenge: 32 octets as base64url (RFC 7636 §4.2)."""
    return _CHALLENGE.fullmatch(text) is not None


def code_challenge_of(code_verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 §4.2)."""
    return urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def code_verifier_holds(code_verifier: str | None, *, code_challenge: str | None) -> bool:
    """Say whether a verifier answers a challenge; one without the other never does (RFC 9700 §2.1.1)."""
    if code_verifier is None or code_challenge is None:
        return code_verifier is None and code_challenge is None
    if _VERIFIER.fullmatch(code_verifier) is None:
        return False
    return hmac.compare_digest(code_challenge_of(code_verifier), code_challenge)
