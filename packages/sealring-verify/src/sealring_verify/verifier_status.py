"""What a verifier knows at a moment, told without a token or a credential."""

import msgspec

from sealring_verify.jwks import Freshness
from sealring_verify.revocation_guard import FeedStatus


class VerifierStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier knows at this moment, for a health page. It holds no token and no credential.

    `keys` are key ids; `skipped_keys` says in words which of the issuer's keys are unusable here;
    `keys_age_seconds` counts from the last good fetch, None before it and for keys given at construction. `others`:
    what the other verifiers know that this one was joined with by `Verifier.any_of`.
    """

    issuer: str
    audience: str
    introspects: bool
    freshness: Freshness
    keys: tuple[str | None, ...]
    skipped_keys: tuple[str, ...]
    keys_age_seconds: float | None
    last_error: str | None
    remembered_tokens: int
    revocation: FeedStatus
    others: tuple["VerifierStatus", ...] = ()
