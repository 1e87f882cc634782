"""Forgets what nobody needs any more: sessions, codes and entries of the feed whose last token has expired."""

from typing import Final

from sealring.ports import Store
from sealring.protocol.api import longest_access_token_lifetime
from sealring.protocol.instant import Instant, later

# A verifier that was away for so long goes on where it was, instead of taking a snapshot.
_FEED_SECONDS: Final = 15 * 60
# For so long a spent code is known, and ends the session that it became when it is presented again.
_SPENT_CODE_SECONDS: Final = 24 * 3600
# A node whose clock is behind takes an assertion for a while longer: it must not be taken for a new one there.
_CLOCKS_SECONDS: Final = 60


async def forget_expired(*, store: Store, now: Instant, limit: int) -> None:
    """Delete at most `limit` rows of each kind at a time, and of used assertions all that are due."""
    longest = max((longest_access_token_lifetime(api, now=now) for api in await store.apis.list_all()), default=0)
    # The last refresh of a session may have made an access token that outlives it, and that can still be ended.
    await store.sessions.forget_expired(before=later(now, -longest), limit=limit)
    await store.sso_sessions.forget_expired(before=now, limit=limit)
    await store.authorization_codes.forget_expired(before=later(now, -_SPENT_CODE_SECONDS), limit=limit)
    # A busy client uses more of them in a minute than one part has, and each lives for minutes only.
    while await store.client_assertions.forget_expired(before=later(now, -_CLOCKS_SECONDS), limit=limit) == limit:
        pass
    await store.initial_access_tokens.forget_expired(before=now, limit=limit)
    await store.revocations.forget_expired(before=later(now, -_FEED_SECONDS), limit=limit)
