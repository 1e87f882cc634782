from sealring.limiting.sign_in import MemorySignInLimit
from sealring.ports import Limited


def make(*, account: int = 3, network: int = 5) -> MemorySignInLimit:
    return MemorySignInLimit(failures_per_account=account, failures_per_network=network)


def test_asking_costs_nothing() -> None:
    limit = make()
    assert [limit.admit("ada", "192.0.2.0/24") for _ in range(50)] == [None] * 50


def test_an_account_is_limited_from_the_network_that_failed_and_from_no_other() -> None:
    limit = make()
    for _ in range(3):
        assert limit.admit("ada", "192.0.2.0/24") is None
        limit.count_failure("ada", "192.0.2.0/24")
    limited = limit.admit("ada", "192.0.2.0/24")
    assert isinstance(limited, Limited)
    assert limited.retry_after > 0
    assert limit.admit("ada", "198.51.100.0/24") is None
    assert limit.admit("bob", "192.0.2.0/24") is None


def test_a_network_is_limited_over_all_accounts() -> None:
    limit = make()
    for number in range(5):
        limit.count_failure(f"guess{number}", "192.0.2.0/24")
    assert limit.admit("fresh", "192.0.2.0/24") is not None
    assert limit.admit("fresh", "198.51.100.0/24") is None


def test_names_that_look_like_parts_of_keys_do_not_collide() -> None:
    limit = make(account=1)
    limit.count_failure("ada/192.0.2.0/24", "198.51.100.0/24")
    assert limit.admit("ada", "192.0.2.0/24") is None
    assert limit.admit("ada", "198.51.100.0/24") is None


def test_what_others_do_from_its_network_is_not_held_against_a_known_device() -> None:
    limit = make()
    for _ in range(9):
        limit.count_failure("ada", "192.0.2.0/24")
    assert limit.admit("ada", "192.0.2.0/24") is not None
    assert limit.admit("ada", "192.0.2.0/24", device=b"d") is None


def test_a_known_device_has_the_limit_of_an_account_wherever_it_is() -> None:
    limit = make()
    for number in range(3):
        assert limit.admit("ada", f"192.0.{number}.0/24", device=b"d") is None
        limit.count_failure("ada", f"192.0.{number}.0/24", device=b"d")
    assert limit.admit("ada", "198.51.100.0/24", device=b"d") is not None
    assert limit.admit("ada", "198.51.100.0/24", device=b"e") is None
    assert limit.admit("ada", "192.0.1.0/24") is None
