import pytest

from sealring.protocol.api import Api, longest_access_token_lifetime
from sealring.protocol.instant import Instant


@pytest.mark.parametrize(("former", "until", "longest"), [(0, 0, 60), (600, 1000, 600), (600, 999, 60), (30, 2000, 60)])
def test_a_former_lifetime_counts_until_its_time(former: int, until: int, longest: int) -> None:
    api = Api(
        identifier="orders",
        scopes={},
        access_token_lifetime=60,
        former_lifetime=former,
        former_lifetime_until=until,
        created_at=0,
    )
    assert longest_access_token_lifetime(api, now=Instant(999)) == longest
