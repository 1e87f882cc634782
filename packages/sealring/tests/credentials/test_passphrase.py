import math
import os
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.credentials.passphrase import generate_passphrase, passphrase_words


@given(words=st.integers(5, 12))
def test_a_passphrase_is_listed_words_joined_by_hyphens(words: int) -> None:
    parts = generate_passphrase(randomness=os.urandom, words=words).split("-")
    assert len(parts) == words
    assert set(parts) <= set(passphrase_words())


def test_six_words_hold_77_bits_and_four_are_refused() -> None:
    assert 6 * math.log2(len(passphrase_words())) > 77
    assert len(generate_passphrase(randomness=os.urandom).split("-")) == 6
    with pytest.raises(ValueError, match="less than 64 bits"):
        generate_passphrase(randomness=os.urandom, words=4)


def test_the_list_holds_each_word_once_in_plain_letters() -> None:
    listed = passphrase_words()
    assert len(listed) == len(set(listed)) == 7772
    assert all(re.fullmatch("[a-z]{3,9}", word) for word in listed)


def test_every_word_is_drawn_equally_often() -> None:
    # Every two-byte draw but the last few, each once. Of the 65 536, 62 176 fall on a word, 8 on each; the other
    # 3 360 would favour the first words, and are drawn again.
    draws = iter(range(0x10000))
    drawn: Counter[str] = Counter()
    for _ in range(8 * 7772 // 5):
        passphrase = generate_passphrase(randomness=lambda n: next(draws).to_bytes(n, "big"), words=5)
        drawn.update(passphrase.split("-"))
    assert sum(drawn.values()) == 8 * 7772 - 1
    assert Counter(drawn.values()) == {8: 7771, 7: 1}
