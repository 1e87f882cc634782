import pytest

from sealring_verify.providers.host_name import checked_host_name


def test_a_host_name_is_taken_in_lower_case() -> None:
    assert checked_host_name("domain", "Shop.EU.auth0.com") == "shop.eu.auth0.com"


@pytest.mark.parametrize(
    "value",
    ["", "shop", "https://shop.auth0.com", "shop.auth0.com/", "shop.auth0.com:8443", "shop .auth0.com", "a@b.com", "."],
)
def test_anything_else_is_refused_in_a_sentence_that_names_the_option(value: str) -> None:
    with pytest.raises(ValueError, match="domain must be a host name"):
        checked_host_name("domain", value)
