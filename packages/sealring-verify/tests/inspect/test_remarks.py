import json
from pathlib import Path
from typing import Any

import pytest

from sealring_verify.inspect.decoding import read_token
from sealring_verify.inspect.remarks import Remark, gravest_first, kind_of, remarks_on, whole_seconds
from sealring_verify.inspect.vocabulary import KINDS, REMARKS

TABLE = json.loads(Path(__file__).with_name("cases.json").read_text())


@pytest.mark.parametrize("case", TABLE["remarks"], ids=lambda case: case["why"])
def test_a_reviewer_says_of_each_token_what_the_table_says(case: dict[str, Any]) -> None:
    token = read_token(case["token"])
    assert [[remark.code, remark.about] for remark in remarks_on(token, now=TABLE["now"])] == case["remarks"]
    assert kind_of(token) == case["kind"]


def test_the_table_has_each_remark_and_most_kinds() -> None:
    said = {code for case in TABLE["remarks"] for code, _ in case["remarks"]}
    assert REMARKS.keys() - said == {"short_secret"}  # a remark on the secret, which test_command.py names
    unseen = KINDS.keys() - {case["kind"] for case in TABLE["remarks"]}
    assert unseen == {"status_list", "introspection_answer", "authorization_request", "revocation_feed"}


def test_the_gravest_remark_stands_first() -> None:
    mixed = [Remark("large"), Remark("alg_none"), Remark("encrypted"), Remark("exp_missing")]
    assert [remark.level for remark in gravest_first(mixed)] == ["danger", "danger", "warning", "note"]
    assert gravest_first(mixed)[0].code == "alg_none"


def test_a_date_is_a_whole_number_of_seconds() -> None:
    assert [whole_seconds(value) for value in (0, 5, 99_999_999_999)] == [0, 5, 99_999_999_999]
    assert [whole_seconds(value) for value in (True, -1, 1.0, "5", None, 10**11)] == [None] * 6
