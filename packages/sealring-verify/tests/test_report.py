import json
import random
import threading

from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.report import MAX_REPORT_LENGTH, Tally, Use, network_of, write_report


def test_a_report_says_what_the_reference_says() -> None:
    body = write_report(
        verifier="v" * 22,
        incarnation="0" * 32,
        position=7,
        age=0.25,
        keys=("k1", None),
        counts={"accepted": 2},
        uses=[Use(90.0, bytes(16), None, "192.0.2.77", "accepted")],
        now=95.5,
    )
    assert json.loads(body) == {
        "verifier": "v" * 22,
        "incarnation": "0" * 32,
        "position": 7,
        "age_ms": 250,
        "keys": ["k1"],
        "counts": {"accepted": 2},
        "uses": [[5, "A" * 22, None, "192.0.2.0/24", "accepted"]],
    }


def test_the_largest_report_fits_in_16_kib() -> None:
    use = Use(0.0, b"\xff" * 16, b"\xff" * 16, "2001:db8:ffff:ffff::1", "c" * 60)
    body = write_report(
        verifier="v" * 64,
        incarnation="f" * 32,
        position=2**53,
        age=1e6,
        keys=["k" * 128] * 40,
        counts={f"{'c' * 60}{n}": 2**53 for n in range(80)},
        uses=[use] * 120,
        now=1e9,
    )
    assert len(body) <= MAX_REPORT_LENGTH
    assert json.loads(body)["uses"]


def test_a_network_is_a_24_or_a_48() -> None:
    addresses = ["203.0.113.9", "2001:db8:1:2::3", "::ffff:203.0.113.9", "fe80::1%eth0", "testclient", None, ""]
    networks = ["203.0.113.0/24", "2001:db8:1::/48", "203.0.113.0/24", "fe80::/48", None, None, None]
    assert [network_of(address) for address in addresses] == networks


@given(st.text())
def test_any_address_has_a_network_or_none(address: str) -> None:
    network_of(address)


def test_counts_are_exact_over_threads_and_the_sample_is_bounded_and_fair() -> None:
    tally = Tally(chance=random.Random(1).random)  # noqa: S311 - the same sample each time

    def work() -> None:
        for number in range(2000):
            tally.note(Use(float(number), None, None, None, "accepted"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts, uses = tally.take()
    assert (counts, len(uses)) == ({"accepted": 8000}, 100)
    assert sum(use.at >= 1000 for use in uses) > 20
    assert tally.take() == ({}, [])
