"""Decrypting tokens that are encrypted to this API; joserfc, of the extra [jwe], is loaded where there are keys."""

import importlib
import re
from typing import Final

from sealring_verify.errors import InvalidToken
from sealring_verify.jose.jws import MAX_TOKEN_LENGTH

_ENCRYPTED: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){4}")


class Decryption:
    """An API's private keys at work."""

    def __init__(self, document: bytes) -> None:
        """Read a JWK set. ValueError where nothing of it can be used, or the extra is not installed."""
        try:
            self._jwe = importlib.import_module("sealring_verify.jose.jwe")
        except ModuleNotFoundError as missing:
            if missing.name is None or not missing.name.startswith("joserfc"):
                raise
            raise ValueError("decryption_jwks needs joserfc: pip install 'sealring-verify[jwe]'") from None
        self._keys = self._jwe.parse_decryption_jwks(document)

    def __repr__(self) -> str:
        return f"Decryption({sorted(self._keys)})"

    def signed_token(self, token: str) -> str:
        """Give the signed token within an encrypted one. Raises InvalidToken."""
        found: str = self._jwe.decrypt_compact(token, keys=self._keys)
        return found


def signed_token(token: object, decryption: Decryption | None) -> str:
    """Give the signed token that is to be verified; without keys the token as it came, unless it is encrypted.

    Raises InvalidToken.
    """
    # A door may hand on whatever a request held. Length comes before anything that reads the text.
    if not isinstance(token, str):
        raise InvalidToken("token_malformed")
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidToken("token_too_large")
    if decryption is not None:
        return decryption.signed_token(token)
    # RFC 7516 §3.1: five parts, where a JWS has three.
    if token.count(".") == 4 and _ENCRYPTED.fullmatch(token):
        raise InvalidToken("token_encrypted")
    return token
