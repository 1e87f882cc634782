"""`private_key_jwt` at the endpoints that take a form (RFC 7523 §2.2): one method per request, the registered one."""

import json
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from sealring.protocol.client import AssertionTerms, Client
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jws import encode_header, sign_compact

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEYS = {alg: generate_private_key(alg, kid=alg) for alg in ("ES256", "Ed25519", "RS256", "PS256")}


@pytest.fixture
async def signer(site: SimpleNamespace) -> SimpleNamespace:
    """Register the client `signer`, which has keys of every kind and no secret."""
    document = msgspec.json.encode({"keys": [key.public_jwk() for key in KEYS.values()]}).decode()
    client = Client(
        client_id="signer",
        name="Signer",
        type="confidential",
        assertion=AssertionTerms(),
        jwks=document,
        client_credentials=True,
        allowed={"orders": frozenset({"orders:read"})},
        epoch=1,
        created_at=1,
    )
    assert await site.store.clients.add(client, events=[])
    return site


def assertion(site: SimpleNamespace, jti: str = "one", *, key: PrivateKey = KEYS["ES256"], **claims: object) -> str:
    seconds = site.now // 1000
    good = {"iss": "signer", "sub": "signer", "aud": site.opened.house.issuer, "exp": seconds + 60, "jti": jti}
    header = encode_header(typ="client-authentication+jwt", alg=key.alg, kid=key.kid)
    return sign_compact(json.dumps(good | claims).encode(), key=key, header=header)


async def ask(site: SimpleNamespace, text: str, *, auth: Any = None, **form: str) -> httpx.Response:  # noqa: ANN401 -- httpx's own
    sent = {"grant_type": "client_credentials", "scope": "orders:read", "client_assertion_type": TYPE}
    members = {name: value for name, value in {**sent, "client_assertion": text, **form}.items() if value}
    async with site.client(auth=auth) as http:
        answer = await http.post("/token", data=members)
    assert isinstance(answer, httpx.Response)
    return answer


def code_of(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()["error"], answer.json()["code"]


@pytest.mark.parametrize("alg", sorted(KEYS))
async def test_an_assertion_gets_a_token(signer: SimpleNamespace, alg: str) -> None:
    answer = await ask(signer, assertion(signer, key=KEYS[alg]))
    assert answer.status_code == 200
    assert answer.json()["scope"] == "orders:read"


async def test_the_client_id_may_be_said_and_must_be_the_same(signer: SimpleNamespace) -> None:
    assert (await ask(signer, assertion(signer), client_id="signer")).status_code == 200
    for other in ("shop", "SIGNER", "signer "):
        refused = code_of(await ask(signer, assertion(signer, other), client_id=other))
        assert refused == (401, "invalid_client", "client_authentication_failed")


async def test_a_replay_is_refused_at_every_endpoint(signer: SimpleNamespace) -> None:
    text = assertion(signer)
    assert (await ask(signer, text)).status_code == 200
    replayed = (401, "invalid_client", "client_assertion_replayed")
    assert code_of(await ask(signer, text)) == replayed
    async with signer.client() as http:
        form = {"token": "x", "client_assertion_type": TYPE, "client_assertion": text}
        assert code_of(await http.post("/revoke", data=form)) == replayed
        form["client_assertion"] = assertion(signer, "two")
        assert (await http.post("/revoke", data=form)).status_code == 200


async def test_two_methods_at_once_are_refused(signer: SimpleNamespace) -> None:
    several = (400, "invalid_request", "several_authentication_methods")
    text = assertion(signer)
    assert code_of(await ask(signer, text, auth=("signer", "slc_x"))) == several
    assert code_of(await ask(signer, text, client_secret="slc_x")) == several
    assert code_of(await ask(signer, "", client_secret="slc_x")) == several  # a type alone is a method as well
    # Nothing was used up by it.
    assert (await ask(signer, text)).status_code == 200


async def test_a_client_of_keys_has_no_other_way_in(signer: SimpleNamespace) -> None:
    refused = (401, "invalid_client", "client_authentication_failed")
    for form, auth in (({}, ("signer", "")), ({"client_id": "signer", "client_secret": ""}, None)):
        assert code_of(await signer.token(scope="orders:read", auth=auth, **form)) == refused
    assert code_of(await signer.token(scope="orders:read", auth=None, client_id="signer")) == refused


async def test_a_client_of_a_secret_has_no_way_in_by_keys(signer: SimpleNamespace) -> None:
    text = assertion(signer, iss="robot", sub="robot")
    assert code_of(await ask(signer, text)) == (401, "invalid_client", "client_authentication_failed")


@pytest.mark.parametrize("type_", ["", "jwt-bearer", TYPE.upper(), TYPE.replace("jwt", "saml2"), TYPE + " "])
async def test_the_type_of_the_assertion_is_said_exactly(signer: SimpleNamespace, type_: str) -> None:
    answer = await ask(signer, assertion(signer), client_assertion_type=type_)
    assert code_of(answer) == (401, "invalid_client", "client_authentication_failed")
    assert "client_assertion_type" in answer.json()["error_description"]


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", "e30.e30.e30", "é.é.é", "x" * 12_000])
async def test_what_is_no_assertion_is_refused_and_no_fault_of_ours(signer: SimpleNamespace, text: str) -> None:
    assert code_of(await ask(signer, text)) == (401, "invalid_client", "client_authentication_failed")


@pytest.mark.parametrize("name", ["client_assertion", "client_assertion_type"])
async def test_an_assertion_is_sent_once(signer: SimpleNamespace, name: str) -> None:
    sent = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion(signer)}
    async with signer.client() as http:
        body = httpx.QueryParams([*sent.items(), (name, sent[name])])
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await http.post("/token", content=str(body), headers=headers)
    assert code_of(answer) == (400, "invalid_request", "duplicate_parameter")


async def test_what_the_holder_of_the_key_did_wrong_is_told(signer: SimpleNamespace) -> None:
    wrong = {"aud": f"{signer.opened.house.issuer}/token", "exp": signer.now // 1000 + 3600, "iss": "other", "jti": ""}
    for name, value in wrong.items():
        answer = await ask(signer, assertion(signer, **{name: value}))  # type: ignore[arg-type]  # jti is a text
        assert code_of(answer) == (401, "invalid_client", "client_assertion_refused")
        assert name in answer.json()["error_description"]


async def test_the_digest_of_an_assertion_is_forgotten_after_it_expired(signer: SimpleNamespace) -> None:
    from sealring.protocol.instant import later
    from sealring.services.expiry import forget_expired

    text = assertion(signer)
    assert (await ask(signer, text)).status_code == 200
    await forget_expired(store=signer.store, now=later(signer.now, 119), limit=10)
    assert code_of(await ask(signer, text))[2] == "client_assertion_replayed"
    await forget_expired(store=signer.store, now=later(signer.now, 120), limit=10)
    signer.pass_time(61)
    assert code_of(await ask(signer, text))[2] == "client_assertion_refused"
