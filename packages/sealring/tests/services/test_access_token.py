import json
from base64 import urlsafe_b64decode
from types import SimpleNamespace

import httpx
import pytest
from joserfc import jwe, jwt
from joserfc.jwk import KeySet, OKPKey

from sealring.protocol.api_registration import ApiChange
from sealring.protocol.errors import OAuthError
from sealring.services.api import update_api
from sealring_verify import Verifier


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def ask(site: SimpleNamespace, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"authorization": authorization}
    answer = await site.http.get("/sessions", headers=headers, auth=None)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_another_library_verifies_the_token_by_the_published_keys(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    key_set = KeySet.import_key_set((await site.http.get("/jwks", auth=None)).json())
    decoded = jwt.decode(token, key_set, algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.claims["iss"] == "http://localhost:8799"
    assert decoded.claims["exp"] - decoded.claims["iat"] == 600


async def test_a_token_of_the_issuers_own_api_is_taken(site: SimpleNamespace) -> None:
    _, headers = await site.own_token()
    assert (await ask(site, headers["authorization"])).status_code == 200
    assert (await ask(site, headers["authorization"].replace("Bearer", "bEARER"))).status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "DPoP x"])
async def test_no_bearer_token_is_told_apart_without_an_error_word(
    site: SimpleNamespace, authorization: str | None
) -> None:
    answer = await ask(site, authorization)
    assert code_of(answer) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_foreign_altered_unsigned_and_expired_tokens_are_refused(site: SimpleNamespace) -> None:
    orders = (await site.sign_in()).json()["access_token"]
    refresh_token, headers = await site.own_token()
    token = headers["authorization"].removeprefix("Bearer ")
    head, payload, signature = token.split(".")
    bad = [
        orders,
        refresh_token,
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload}.",
        f"eyJhbGciOiJub25lIn0.{payload}.",
        "x",
        token + "\u00e9",
    ]
    for wrong in bad:
        answer = await ask(site, f"Bearer {wrong}".encode())  # type: ignore[arg-type] -- httpx takes octets as well
        assert code_of(answer) == (401, "token_refused"), wrong
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    site.pass_time(600)
    assert code_of(await ask(site, f"Bearer {token}")) == (401, "token_refused")


async def test_the_row_answers_not_the_token_alone(site: SimpleNamespace) -> None:
    refresh_token, headers = await site.own_token()
    await site.http.request("DELETE", "/session", json={"refresh_token": refresh_token})
    assert code_of(await ask(site, headers["authorization"])) == (401, "session_ended")


async def test_a_token_carries_what_the_session_is(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    payload = body["access_token"].split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert set(claims) == {
        "iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid", "sub_epoch", "client_epoch",
        "auth_time", "amr", "roles",
    }  # fmt: skip
    assert (claims["sid"], claims["client_id"], claims["aud"]) == (body["sid"], "shop", "orders")


@pytest.mark.parametrize("alg", ["RS256", "PS256", "Ed25519"])
async def test_an_apis_tokens_are_signed_with_its_own_algorithm_from_the_very_next_on(
    site: SimpleNamespace, alg: str
) -> None:
    desk = site.opened.desk
    changed = await update_api(
        ApiChange(identifier="orders", access_token_signing_alg=alg),
        store=site.store,
        keys=desk.keys,
        issuer=desk.issuer,
        clock=lambda: site.now,
        actor="cli:root",
    )
    assert not isinstance(changed, OAuthError), changed
    token = (await site.sign_in()).json()["access_token"]
    key_set = site.opened.house.signer.key_set()
    verified = jwt.decode(token, KeySet.import_key_set(json.loads(key_set)), algorithms=[alg])
    assert (verified.header["alg"], verified.claims["aud"]) == (alg, "orders")
    verifier = Verifier(desk.issuer, "orders", jwks=key_set, clock=lambda: site.now / 1000, feed="off")
    assert verifier.verify(token).sub == "u1"
    # Our own endpoints know it as well.
    assert (await site.inspect(token))["active"]


async def test_an_opaque_token_is_refreshed_and_costs_the_store_nothing(site: SimpleNamespace) -> None:
    await site.add_opaque_api()
    body = (await site.sign_in(scope="letters:read")).json()
    again = (await site.refresh(body["refresh_token"])).json()
    signer = site.opened.house.signer
    first, second = (json.loads(signer.open_opaque_token(each["access_token"])) for each in (body, again))
    assert first.pop("jti") != second.pop("jti")
    assert first == second
    assert (first["sid"], first["aud"], first["sub_epoch"]) == (body["sid"], "letters", 3)
    assert len(await site.store.sessions.list_live(sub=None, now=site.now, limit=10)) == 1


async def test_our_own_endpoints_take_no_opaque_token_whatever_it_says(site: SimpleNamespace) -> None:
    own = (await site.own_token())[1]["authorization"].removeprefix("Bearer ")
    payload = urlsafe_b64decode(own.split(".")[1] + "==")
    opaque = site.opened.house.signer.seal_opaque_token(payload, randomness=site.opened.desk.randomness)
    assert code_of(await ask(site, f"Bearer {opaque}")) == (401, "token_refused")


async def test_an_api_with_keys_gets_tokens_that_it_alone_can_read(site: SimpleNamespace) -> None:
    key = OKPKey.generate_key("X25519", {"kid": "k", "use": "enc"})
    public, private = (json.dumps({"keys": [key.as_dict(private=secret)]}) for secret in (False, True))
    made = await site.add_hidden_api(encryption_jwks=public, claims=("email",))
    await site.store.users.set_claims("u1", b'{"email":"ada@example.com"}', events=[])
    body = (await site.sign_in(scope="letters:read")).json()
    key_set = site.opened.house.signer.key_set()
    own = {"jwks": key_set, "feed": "off", "clock": lambda: site.now / 1000}
    verifier = Verifier(site.opened.house.issuer, "letters", decryption_jwks=private, **own)
    assert verifier.verify(body["access_token"]).claims["email"] == "ada@example.com"
    # Differential: the library alone finds the same within.
    within = jwe.decrypt_compact(body["access_token"], key, algorithms=["ECDH-ES+A256KW", "A256GCM"]).plaintext
    claims = jwt.decode(within.decode(), KeySet.import_key_set(json.loads(key_set)), algorithms=["ES256"]).claims
    assert (claims["sub"], claims["sid"]) == ("u1", body["sid"])
    # The API asks about the token within; what only it can decrypt is nothing to Sealring.
    auth = ("letters", made.api_key.reveal())
    assert (await site.inspect(within.decode(), auth=auth))["active"]
    assert await site.inspect(body["access_token"], auth=auth) == {"active": False}
    await site.revoke(body["access_token"])
    assert (await site.inspect(within.decode(), auth=auth))["active"]
    await site.revoke(body["refresh_token"])
    assert await site.inspect(within.decode(), auth=auth) == {"active": False}
    own_token = (await site.token(scope="letters:read")).json()["access_token"]
    assert verifier.verify(own_token).sub == "robot"
    assert code_of(await ask(site, f"Bearer {own_token}")) == (401, "token_refused")


async def test_the_budget_counts_the_encrypted_token(site: SimpleNamespace) -> None:
    key = OKPKey.generate_key("X25519", {"kid": "k", "use": "enc"})
    public = json.dumps({"keys": [key.as_dict(private=False)]})
    await site.add_hidden_api(encryption_jwks=public, byte_budget=900)
    await site.add_hidden_api("cards", byte_budget=900)
    assert (await site.sign_in(scope="cards:read")).status_code == 200
    refused = await site.sign_in(scope="letters:read")
    assert code_of(refused) == (400, "access_token_over_budget")
