"""The programs of docs/how-to/verify-tokens-of-another-issuer.md, as printed: their issuers answer by their names."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sealring_verify import TokenRefused

if TYPE_CHECKING:
    from conftest import Provider

_PAGE = Path(__file__).parents[4] / "docs/how-to/verify-tokens-of-another-issuer.md"
FIRST, OTHERS, ANY_ISSUER, MOVING, ASKING, REFUSING = re.findall(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)
AUTH0, ISSUER = "https://example.eu.auth0.com/", "https://id.example.com"


def run(*programs: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec("\n".join(programs), names)  # noqa: S102 - our own page
    return names


@pytest.fixture
def page(provider: "Provider") -> "Provider":
    """Both issuers of the page; the second is one of OpenID Connect and of RFC 8414."""
    provider.publish(f"{AUTH0}.well-known/openid-configuration", issuer=AUTH0, jwks_uri=f"{AUTH0}.well-known/jwks.json")
    for document in ("openid-configuration", "oauth-authorization-server"):
        provider.publish(
            f"{ISSUER}/.well-known/{document}",
            issuer=ISSUER,
            jwks_uri=f"{ISSUER}/jwks",
            introspection_endpoint=f"{ISSUER}/introspect",
        )
    return provider


def token(page: "Provider", issuer: str, **changes: object) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": "auth0|6553da60",
        "aud": "orders" if issuer == ISSUER else "https://orders.example.com",
        "iat": now,
        "exp": now + 600,
        "jti": "j1",
        "client_id": "web",
        "scope": "orders:read",
    }
    return page.token({"typ": "at+jwt"}, {**claims, **changes})


def test_the_first_program_says_whose_token_it_is(page: "Provider", capsys: pytest.CaptureFixture[str]) -> None:
    subject_of = run(FIRST)["subject_of"]
    assert subject_of(token(page, AUTH0)) == "auth0|6553da60"
    assert subject_of(token(page, AUTH0, scope="")) is None
    assert capsys.readouterr().out == "403 insufficient_scope\n"


def test_every_provider_of_the_page_can_be_had_and_the_table_names_all() -> None:
    run(OTHERS)
    files = (Path(__file__).parents[2] / "src/sealring_verify/providers").glob("*.py")
    providers = {file.stem for file in files} - {"__init__", "host_name", "openid_connect"}
    assert set(re.findall(r"^\| `(\w+)` \|", _PAGE.read_text(), re.MULTILINE)) == providers


def test_any_other_issuer_is_found_by_its_discovery(page: "Provider") -> None:
    assert run(ANY_ISSUER)["verifier"].verify(token(page, ISSUER)).client_id == "web"
    assert page.requests == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/jwks"]


async def test_the_application_that_moves_takes_tokens_of_both(page: "Provider") -> None:
    transport = httpx.ASGITransport(run(MOVING)["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as caller:
        for issuer in (AUTH0, ISSUER):
            answer = await caller.get("/orders", headers={"Authorization": f"Bearer {token(page, issuer)}"})
            assert answer.json() == [f"the lamp of auth0|6553da60, who signed in at {issuer}"]
        assert (await caller.get("/orders")).json()["code"] == "token_missing"


def test_the_issuer_is_asked(page: "Provider", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_CLIENT_SECRET", "secret")
    page.reply = lambda _authorization, body: (200, {"active": b"token=" in body})
    assert run(ASKING)["verifier"].verify(token(page, ISSUER)).sub == "auth0|6553da60"
    page.reply = lambda _authorization, _body: (200, {"active": False})
    with pytest.raises(TokenRefused, match="token_inactive"):
        run(ASKING)["verifier"].verify(token(page, ISSUER))


def test_what_is_too_old_is_refused(page: "Provider") -> None:
    verifier = run(ANY_ISSUER, REFUSING)["verifier"]
    assert page.outcome(verifier, token(page, ISSUER)) == ("issued_before_cutoff", "iat")
    assert page.outcome(verifier, token(page, ISSUER, sub="another"))[0] == "accepted"
