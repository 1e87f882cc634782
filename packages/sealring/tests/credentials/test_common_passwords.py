import lzma
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.credentials import common_passwords
from sealring.credentials.common_passwords import is_common_password

FOLDER = Path(common_passwords.__file__).parent


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "football",
        "iloveyou123456789",
        "qwertyuiopasdfghjkl",
        "Correct Horse Battery Staple",
        "correct-horse-battery-staple",
        "correct_horse.battery staple",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
    ],
)
def test_a_common_password_is_known_in_any_case_width_and_spacing(password: str) -> None:
    assert is_common_password(password)


@pytest.mark.parametrize("password", ["", "lamp gravel otter seventeen", "password lamp gravel otter", "\ud800"])
def test_another_password_is_not_common(password: str) -> None:
    assert not is_common_password(password)


@given(password=st.text(st.characters(), max_size=40))
def test_looking_up_never_raises(password: str) -> None:
    assert is_common_password(password) in {True, False}


def test_every_listed_password_is_found_and_the_long_ones_are_kept() -> None:
    listed = lzma.decompress((FOLDER / "common_passwords.txt.xz").read_bytes()).decode().split()
    phrases = (FOLDER / "common_phrases.txt").read_text().split()
    assert len(listed) > 20_000
    assert sum(len(password) >= 15 for password in listed + phrases) > 1_500
    assert all(map(is_common_password, listed + phrases))
    assert all(len(password) >= 8 for password in listed)


def test_the_list_is_small_in_memory_and_quickly_read() -> None:
    common_passwords._listed_digests.cache_clear()
    start = time.thread_time()
    digests = common_passwords._listed_digests()
    assert time.thread_time() - start < 0.5  # 20 ms on a quiet core
    assert len(digests) * digests.itemsize < 256 * 1024
