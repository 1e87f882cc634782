"""How long an HTTP answer may be taken for fresh by whoever asked for it (RFC 9111 §4.2, a private cache), pure."""

import re
from typing import Final

import msgspec

_NOT_KEPT: Final = re.compile(r"(?:^|[,\s])(?:no-store|no-cache)(?:$|[,=\s])", re.IGNORECASE)
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})\"?(?:$|[,\s])", re.IGNORECASE)
_SECONDS: Final = re.compile(r"\d{1,9}")


class CachingHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of an answer that count, as they came."""

    cache_control: str | None = None
    age: str | None = None
    date: str | None = None
    expires: str | None = None


def fresh_seconds(headers: CachingHeaders) -> int | None:
    """Give the seconds for which an answer stays fresh from now on, 0 or more; None where it does not say.

    What a cache on the way held it for (`Age`) is taken off. `s-maxage` is for shared caches alone.
    """
    cache_control = headers.cache_control or ""
    if _NOT_KEPT.search(cache_control):
        return 0
    found = _MAX_AGE.search(cache_control)
    lifetime = int(found[1]) if found else _until_expiry(headers)
    if lifetime is None:
        return None
    age = headers.age if headers.age is not None and _SECONDS.fullmatch(headers.age) else "0"
    return max(0, lifetime - int(age))


def _until_expiry(headers: CachingHeaders) -> int | None:
    if headers.expires is None or headers.date is None:
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few issuers send this header, and it loads sockets

    try:
        # By the issuer's own clock on both ends, so that ours does not matter.
        return int((parsedate_to_datetime(headers.expires) - parsedate_to_datetime(headers.date)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        # RFC 9111 §5.3: an Expires that is no date, such as 0, lies in the past.
        return 0
