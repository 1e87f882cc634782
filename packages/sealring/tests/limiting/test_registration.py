from sealring.limiting.registration import MemoryRegistrationLimit
from sealring.ports import Limited


def test_a_network_has_its_share_and_leaves_the_others_theirs() -> None:
    limit = MemoryRegistrationLimit(per_network=2)
    assert [limit.take("192.0.2.0/24") for _ in range(3)] == [None, None, Limited(retry_after=600)]
    assert limit.take("198.51.100.0/24") is None
