from urllib.parse import parse_qs, urlsplit

import pytest

from sealring_verify.site.session import Anonymous, SessionUnknown, log_out_url, session_lives, user_of
from sealring_verify.site.settings import SiteSettings

SETTINGS = SiteSettings(
    issuer="https://id.example/auth", client_id="site", client_secret="slc_x", site="https://shop.example"
)


def test_a_user_is_what_the_id_token_says_and_no_more() -> None:
    user = user_of({"sub": "ada", "sid": "s", "name": "Ada", "email": "a@b.example", "nonce": "n", "at_hash": "h"})
    assert (user.sub, user.session_id, user.name, user.email) == ("ada", "s", "Ada", "a@b.example")
    assert user.claims.keys() == {"sub", "sid", "name", "email"}
    assert user.is_authenticated
    assert not Anonymous().is_authenticated


def test_an_address_is_verified_only_where_the_issuer_says_so_plainly() -> None:
    assert user_of({"sub": "ada", "email_verified": True}).email_verified
    for said in (None, "true", 1, {}):
        assert not user_of({"sub": "ada", "email_verified": said, "name": 7}).email_verified


@pytest.mark.parametrize(("body", "lives"), [(b'{"active":true,"sid":"s"}', True), (b'{"active":false}', False)])
def test_the_issuer_says_whether_a_session_lives(body: bytes, *, lives: bool) -> None:
    assert session_lives(200, body) is lives


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, b'{"active":true}'),
        (401, b"{}"),
        (200, b"{}"),
        (200, b'{"active":"true"}'),
        (200, b"<html>"),
        (200, b"[]"),
    ],
)
def test_what_is_no_answer_neither_signs_in_nor_out(status: int, body: bytes) -> None:
    with pytest.raises(SessionUnknown):
        session_lives(status, body)


def test_a_log_out_names_the_client_and_the_way_back() -> None:
    url = log_out_url(SETTINGS, id_token="a.b.c")
    assert url.startswith("https://id.example/auth/logout?")
    assert parse_qs(urlsplit(url).query) == {
        "client_id": ["site"],
        "post_logout_redirect_uri": ["https://shop.example/"],
        "id_token_hint": ["a.b.c"],
    }
    assert "id_token_hint" not in log_out_url(SETTINGS, id_token="")
