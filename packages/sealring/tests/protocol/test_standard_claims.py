import pytest

from sealring.protocol.errors import OAuthError
from sealring.protocol.standard_claims import standard_claim_problem
from sealring.protocol.user_registration import parse_custom_claims
from sealring.protocol.userinfo import STANDARD_CLAIMS

ADA = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "countess",
    "preferred_username": "ada",
    "profile": "https://ada.example/~ada",
    "picture": "https://ada.example/ada.png?size=64&v=1",
    "website": "http://ada.example",
    "gender": "female",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "updated_at": 1_700_000_000,
    "email": "ada@example.com",
    "email_verified": True,
    "phone_number": "+44 20 7946 0000",
    "phone_number_verified": False,
    "address": {"formatted": "12 St James's Square\nLondon", "country": "GB"},
}


def test_a_person_may_have_every_standard_claim() -> None:
    assert ADA.keys() == STANDARD_CLAIMS
    assert standard_claim_problem(ADA) is None
    assert isinstance(parse_custom_claims(ADA), bytes)


@pytest.mark.parametrize("birthdate", ["1815-12-10", "0000-12-10", "1815"])
def test_a_birthdate_may_lack_the_year_or_all_but_the_year(birthdate: str) -> None:
    assert standard_claim_problem({"birthdate": birthdate}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("email_verified", value) for value in ("true", 1, 0, None, [])),
        ("phone_number_verified", "false"),
        *(("updated_at", value) for value in (True, "1700000000", 1.5, -1, "2024-01-01", None)),
        *(("birthdate", value) for value in ("10.12.1815", "1815-13-10", "1815-12-32", "1815-12", "", 1815, "٢٠٢٠")),
        *(("address", value) for value in ("London", [], {"street": "x"}, {"country": 1}, {"country": ""}, None)),
        *(("picture", value) for value in ("javascript:alert(1)", "data:image/png,x", "//ada.example/", "ada.png", 1)),
        *(("website", value) for value in ('https://ada.example/"><b>', "https://ada example", "ftp://ada.example/")),
        ("profile", "https://ada.example/'onload='x"),
        *(("name", value) for value in (1, None, True, ["Ada"], {"first": "Ada"}, "")),
        ("email", {"address": "ada@example.com"}),
        ("phone_number", 442079460000),
        ("locale", ["en-GB"]),
    ],
)
def test_a_standard_claim_of_another_type_is_refused_with_its_name(name: str, value: object) -> None:
    outcome = parse_custom_claims({name: value})
    assert isinstance(outcome, OAuthError)
    assert outcome.code == "invalid_parameter"
    assert repr(name) in outcome.description


def test_other_claims_may_hold_anything() -> None:
    assert standard_claim_problem({"plan": None, "tenant": [1], "verified": "yes"}) is None
