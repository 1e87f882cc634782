import pytest

from sealring.ports import StoreIdentity
from sealring.protocol.instant import ServiceInstant
from sealring.services.readiness import Readiness, is_another_store


@pytest.mark.parametrize(
    ("incarnation", "feed_number", "another"),
    [(b"a", 7, False), (b"a", 8, False), (b"a", 6, True), (b"b", 7, True), (b"b", 9, True)],
)
def test_a_store_of_another_incarnation_or_one_that_has_forgotten_ends_is_another(
    incarnation: bytes, feed_number: int, *, another: bool
) -> None:
    identity = StoreIdentity(
        incarnation=incarnation, feed_number=feed_number, service_now=ServiceInstant(0), demo=False
    )
    assert is_another_store(identity, opened=b"a", feed_number=7) is another


@pytest.mark.parametrize(
    ("halted", "clock_differs", "code"),
    [
        (False, False, None),
        (False, True, "clock_differs"),
        (True, False, "store_rolled_back"),
        (True, True, "store_rolled_back"),
    ],
)
def test_the_graver_of_two_reasons_is_told(*, halted: bool, clock_differs: bool, code: str | None) -> None:
    readiness = Readiness(halted=halted)
    readiness.clock_differs = clock_differs
    assert readiness.code == code
