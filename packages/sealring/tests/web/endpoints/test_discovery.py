from types import SimpleNamespace

from sealring.web.routes import ROUTES

ISSUER = "http://localhost:8799"


async def test_the_key_set_is_kept_five_minutes_and_asked_for_again_by_its_etag(site: SimpleNamespace) -> None:
    answer = await site.http.get("/jwks")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    again = await site.http.get("/jwks", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert (await site.http.get("/jwks", headers={"if-none-match": '"other"'})).status_code == 200


async def test_the_key_set_has_an_active_and_a_waiting_key_and_no_private_member(site: SimpleNamespace) -> None:
    keys = (await site.http.get("/jwks")).json()["keys"]
    assert len(keys) == 2
    for key in keys:
        assert set(key) == {"alg", "crv", "kid", "kty", "use", "x", "y"}


async def test_the_metadata_names_only_what_exists(site: SimpleNamespace) -> None:
    metadata = (await site.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == ISSUER
    addresses = [value for value in metadata.values() if isinstance(value, str) and value != ISSUER]
    assert (
        {address.removeprefix(ISSUER) for address in addresses}
        == {
            "/authorize",
            "/logout",
            "/userinfo",
            "/jwks",
            "/token",
            "/revoke",
            "/introspect",
            "/revocations",
            "/revocations/jwks",
        }
        <= ROUTES.keys()
    )
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"]
    assert (await site.http.get("/.well-known/openid-configuration")).json() == metadata


async def test_probes_say_alive_and_ready(site: SimpleNamespace) -> None:
    assert (await site.http.get("/healthz")).json() == {"status": "alive"}
    assert (await site.http.get("/readyz")).json() == {"status": "ready"}
