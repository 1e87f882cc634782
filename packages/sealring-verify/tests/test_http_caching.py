import pytest

from sealring_verify.http_caching import CachingHeaders, fresh_seconds

DATE = "Wed, 25 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache_control": "public"}, None),
        ({"cache_control": "max-age=600"}, 600),
        ({"cache_control": 'MAX-AGE="600", must-revalidate'}, 600),
        ({"cache_control": "s-maxage=600"}, None),
        ({"cache_control": "max-age=600", "age": "200"}, 400),
        ({"cache_control": "max-age=600", "age": "900"}, 0),
        ({"cache_control": "max-age=600", "age": "soon"}, 600),
        ({"cache_control": "max-age=600", "age": "-5"}, 600),
        ({"cache_control": "max-age=600, no-store"}, 0),
        ({"cache_control": "no-cache"}, 0),
        ({"cache_control": 'no-cache="Set-Cookie"'}, 0),
        ({"cache_control": "x-no-store"}, None),
        ({"expires": "Wed, 25 Nov 2026 10:05:00 GMT", "date": DATE}, 300),
        ({"expires": "Wed, 25 Nov 2026 10:05:00 GMT", "date": DATE, "cache_control": "max-age=7"}, 7),
        ({"expires": "Wed, 25 Nov 2026 10:05:00 GMT", "date": DATE, "age": "100"}, 200),
        ({"expires": "Wed, 25 Nov 2026 09:00:00 GMT", "date": DATE}, 0),
        ({"expires": "0", "date": DATE}, 0),
        ({"expires": "-1", "date": DATE}, 0),
        ({"expires": "Wed, 25 Nov 2026 10:05:00 GMT"}, None),
        ({"expires": "Wed, 25 Nov 2026 10:05:00 GMT", "date": "now"}, 0),
        ({"expires": "Wed, 25 Nov 2026 10:05:00", "date": DATE}, 0),
    ],
)
def test_freshness_is_what_the_headers_say(headers: dict[str, str], seconds: int | None) -> None:
    assert fresh_seconds(CachingHeaders(**headers)) == seconds
