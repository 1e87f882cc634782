import pytest

from sealring_verify.site.settings import SiteSettings, settings_from_environment

GOOD = {"issuer": "https://id.example", "client_id": "site", "client_secret": "slc_x", "site": "https://shop.example"}


def test_a_site_knows_where_people_come_back_to_and_who_it_is() -> None:
    settings = SiteSettings(**GOOD)
    assert settings.redirect_uri == "https://shop.example/.sealring/callback"
    assert settings.authorization == "Basic c2l0ZTpzbGNfeA=="
    assert settings.over_tls
    assert not SiteSettings(**GOOD | {"site": "http://localhost:5000"}).over_tls
    assert "slc_x" not in repr(settings)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("issuer", "http://id.example", "must be https"),
        ("issuer", "", "must be a URL"),
        ("site", "http://shop.example", "must be https"),
        ("site", "https://shop.example/", "without a path"),
        ("site", "https://shop.example/shop", "without a path"),
        ("site", "shop.example", "must be a URL"),
        ("client_id", "", "needs client_id"),
        ("client_id", "slc_swapped", "where client_id should"),
        ("client_secret", "", "client_secret"),
        ("scope", "profile", "openid"),
    ],
)
def test_what_nobody_could_sign_in_with_is_refused_without_the_secret(member: str, value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        SiteSettings(**GOOD | {member: value})
    assert "slc_x" not in str(refused.value)


def test_what_is_not_said_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "SITE"):
        monkeypatch.delenv(f"SEALRING_{name}", raising=False)
    with pytest.raises(ValueError, match="SEALRING_ISSUER and SEALRING_SITE"):
        settings_from_environment(client_id="site", client_secret="slc_x")
    monkeypatch.setenv("SEALRING_ISSUER", "https://id.example")
    monkeypatch.setenv("SEALRING_SITE", "https://shop.example")
    found = settings_from_environment(client_id="site", client_secret="slc_x", scope="openid email")
    assert (found.issuer, found.site, found.scope) == ("https://id.example", "https://shop.example", "openid email")
