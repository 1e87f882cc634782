import msgspec
import pytest

from sealring.protocol.client import Client

SHOP = Client(client_id="shop", name="Shop", type="confidential", allowed={}, epoch=1, created_at=1)


@pytest.mark.parametrize(
    ("members", "method"),
    [
        ({}, "client_secret_basic"),
        ({"secret_method": "client_secret_post"}, "client_secret_post"),
        ({"type": "public"}, "none"),
        ({"type": "public", "secret_method": "client_secret_post"}, "none"),
    ],
)
def test_a_public_client_has_no_method_and_any_other_just_one(members: dict[str, object], method: str) -> None:
    assert msgspec.structs.replace(SHOP, **members).token_endpoint_auth_method == method


def test_what_an_older_version_wrote_is_a_client_without_grants_of_its_own() -> None:
    written = msgspec.to_builtins(SHOP)
    del written["client_credentials"], written["secret_method"]
    assert msgspec.convert(written, Client) == SHOP
    assert not SHOP.client_credentials
