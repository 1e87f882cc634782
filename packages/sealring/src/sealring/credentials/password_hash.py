"""Password hashes: Argon2id (RFC 9106), its parameters recorded in the PHC string beside the hash.

CPU only, about 20 ms and 19 MiB each at the default parameters: whoever calls this from an event loop does so in a
thread (the GIL is released meanwhile) behind a bounded queue.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Final

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret, verify_secret
from msgspec import Struct

_SALT_LENGTH: Final = 16  # bytes, RFC 9106 §3.1
_HASH_LENGTH: Final = 32  # bytes


class PasswordHashParameters(Struct, frozen=True, kw_only=True):
    """What one hash costs; the defaults are OWASP's (19 MiB, two passes, one lane)."""

    memory: int = 19_456  # KiB
    passes: int = 2
    lanes: int = 1

    def __post_init__(self) -> None:
        # RFC 9106 §3.1: at least 8 KiB a lane. Below that the library would refuse at the first sign-in, not here.
        if self.passes < 1 or self.lanes < 1 or self.memory < 8 * self.lanes:
            raise ValueError("Argon2id needs a pass, a lane, and 8 KiB of memory a lane")


class Match(Struct, frozen=True):
    """The password is right."""


class MatchNeedsRehash(Struct, frozen=True):
    """The password is right, and its hash was made with other parameters: store a new one now."""


class NoMatch(Struct, frozen=True):
    """The password is wrong."""


class UnreadablePasswordHash(Exception):  # noqa: N818 - an exception is named by its fact, as TokenRefused is
    """A stored hash cannot be checked, mostly as its row was damaged. The message holds nothing of it."""


def hash_password(prepared: bytes, *, parameters: PasswordHashParameters, randomness: Callable[[int], bytes]) -> str:
    """Hash a prepared password under a fresh salt of 16 bytes; gives a PHC string, about 100 ASCII characters."""
    return hash_secret(
        prepared,
        randomness(_SALT_LENGTH),
        time_cost=parameters.passes,
        memory_cost=parameters.memory,
        parallelism=parameters.lanes,
        hash_len=_HASH_LENGTH,
        type=Type.ID,
    ).decode("ascii")


def verify_password(
    phc: str, prepared: bytes, *, parameters: PasswordHashParameters
) -> Match | MatchNeedsRehash | NoMatch:
    """Say whether `prepared` is the password behind `phc`, and whether its hash follows today's `parameters`.

    The parameters in `phc` decide what the check costs. For an unknown user pass `dummy_password_hash(parameters)`:
    the same work, always NoMatch. UnreadablePasswordHash when `phc` is damaged.
    """
    try:
        recorded = extract_parameters(phc)
        # The type is demanded, not taken from the string: a row cannot choose a weaker algorithm.
        verify_secret(phc.encode("ascii"), prepared, Type.ID)
    except VerifyMismatchError:
        return NoMatch()
    except VerificationError as error:
        # A string that does not decode, or no memory for what it asks; the library's text quotes nothing.
        raise UnreadablePasswordHash(f"a stored password hash could not be checked: {error}") from None
    except (InvalidHashError, ValueError):
        raise UnreadablePasswordHash("a stored password hash is no Argon2id PHC string") from None
    current = (ARGON2_VERSION, parameters.memory, parameters.passes, parameters.lanes, _SALT_LENGTH, _HASH_LENGTH)
    made_with = (
        recorded.version,
        recorded.memory_cost,
        recorded.time_cost,
        recorded.parallelism,
        recorded.salt_len,
        recorded.hash_len,
    )
    return Match() if made_with == current else MatchNeedsRehash()


def dummy_password_hash(parameters: PasswordHashParameters) -> str:
    """Give a well-formed hash that no password has, so that an unknown user costs what a known one does.

    Its digest is SHA-256 of a label: to match it one would have to invert Argon2id.
    """
    settings = f"m={parameters.memory},t={parameters.passes},p={parameters.lanes}"
    salt = hashlib.sha256(b"sealring dummy password salt").digest()[:_SALT_LENGTH]
    digest = hashlib.sha256(b"sealring dummy password hash").digest()[:_HASH_LENGTH]
    return f"$argon2id$v={ARGON2_VERSION}${settings}${_phc_base64(salt)}${_phc_base64(digest)}"


def _phc_base64(value: bytes) -> str:
    return base64.b64encode(value).rstrip(b"=").decode("ascii")
