"""Every route is tried with tokens that only an API's own secret, or a confused verifier, would make (SECURITY C3)."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from sealring.protocol.secret import Secret
from sealring.services.api import ApiSecretMade
from sealring.services.revocation import RevokeToken, revoke_token
from sealring.web.routes import ROUTES, WELL_KNOWN
from sealring_verify import TokenRefused, Verifier
from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import bind_secret
from sealring_verify.symmetric_secret import parse_symmetric_secret

MEMBERS = ("refresh_token", "access_token", "token", "assertion", "client_assertion", "subject_token", "actor_token")
MEMBERS += ("id_token_hint", "logout_token", "code", "device_code", "request", "request_uri", "link_secret", "subject")
GRANTS = {  # of RFC 6749, 7523 and 8693: whoever serves one some day is tried with a forgery from that day on
    "refresh_token": "refresh_token",
    "urn:ietf:params:oauth:grant-type:jwt-bearer": "assertion",
    "urn:ietf:params:oauth:grant-type:token-exchange": "subject_token",
}
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
ANSWERED_TO_AN_API = {"/revocations", "/revocations/snapshot", "/reports"}  # by its own secret, whatever else it sends
ALL_ROUTES = [
    (method, path) for path, methods in {**ROUTES, **WELL_KNOWN}.items() for method in sorted({*methods, "OPTIONS"})
]


def part(value: bytes | dict[str, Any]) -> bytes:
    return base64url.encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def sign(secret: bytes, claims: bytes | dict[str, Any], **header: str) -> str:
    made = {"alg": "HS256", "typ": "at+jwt", **header}
    signing_input = part(made) + b"." + part(claims)
    return (signing_input + b"." + part(bind_secret(secret)[0](signing_input))).decode()


def claims_of(token: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64url.decode(token.split(".")[1].encode()))
    return members


class Forger:
    """Holds all that the API `parcels` holds, and a token of each kind that a person was given."""

    def __init__(self, made: ApiSecretMade, *, issuer: str, own: str, parcels: str, key_set: bytes) -> None:
        assert made.symmetric is not None
        secret = made.symmetric.symmetric_secret.reveal()
        self.api_key = made.api_key.reveal()
        self.kid = parse_symmetric_secret(secret).kid
        self.secret = base64url.decode(secret.removeprefix("slh_").encode())
        self.issuer, self.own, self.parcels = issuer, own, parcels
        self.key_set = json.loads(key_set)["keys"]

    def mint(self, **changes: Any) -> str:  # noqa: ANN401 -- claims are any JSON
        return sign(self.secret, {**claims_of(self.own), **changes}, kid=self.kid)

    def forgeries(self) -> Iterator[str]:
        powers = {"roles": ["admin"], "admin": True, "administrator": True, "amr": ["pwd", "otp"]}
        yield self.mint()  # the claims of a true token for the issuer, under the API's own secret
        yield self.mint(**powers)
        yield self.mint(**powers, seal=claims_of(self.parcels)["seal"])
        yield self.mint(aud=[self.issuer, "parcels"])
        yield self.mint(aud="orders", scope="orders:read orders:write")
        yield self.mint(aud="parcels", scope="parcels:read sessions")
        yield self.mint(sub="u2", jti="another")
        yield self.mint(iss="parcels")
        # What confused verifiers took for a secret: the published key, however it is written.
        published = self.key_set[0]
        key = ECKey.import_key(published)
        public = key.public_key
        for octets in (
            json.dumps(published).encode(),
            json.dumps(published, separators=(",", ":"), sort_keys=True).encode(),
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            base64url.decode(published["x"].encode()),
        ):
            yield sign(octets, claims_of(self.own), kid=published["kid"])
        yield sign(self.secret, claims_of(self.own), kid=published["kid"])
        for alg in ("none", "None", "HS512", "ES256"):
            yield sign(self.secret, claims_of(self.own), alg=alg, kid=published["kid"])
        unsigned = part({"alg": "none", "typ": "at+jwt"}) + b"." + part(claims_of(self.own)) + b"."
        yield unsigned.decode()
        yield sign(self.secret, claims_of(self.own))  # no kid at all


def opaque_forgeries(true: str, fresh: bytes) -> Iterator[str]:
    """Spoil a true opaque token in every part that it has; `fresh`: octets that nobody knows."""
    octets = base64url.decode(true.removeprefix("slo_").encode())
    for place in (0, 1, 2, 18, 30, len(octets) - 1):  # version, key id, salt, nonce, claims, tag
        yield "slo_" + base64url.encode(octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]).decode()
    yield "slo_" + base64url.encode(octets[:2] + fresh).decode()
    yield "slo_" + base64url.encode(octets[:30] + b'{"sub":"u1"}' + bytes(16)).decode()
    for prefix in ("", "slr_", "slh_", "SLO_"):
        yield prefix + true.removeprefix("slo_")
    yield true + "="
    yield f"{true}.{true}.{true}"


def requests(issuer: str, method: str, path: str, token: str) -> Iterator[httpx.Request]:
    """Put a token wherever a request has a place for one."""

    def request(**members: Any) -> httpx.Request:  # noqa: ANN401 -- whatever httpx takes
        return httpx.Request(method, issuer + path, **members)

    bearer = {"authorization": f"Bearer {token}"}
    passwords = {"current_password": "correct horse battery staple", "new_password": "another horse, another battery"}
    yield request(headers=bearer)
    yield request(headers={"authorization": f"DPoP {token}", "dpop": token})
    yield request(headers=bearer, json={})
    yield request(headers=bearer, data={"scope": "sessions"})
    yield request(headers=bearer, json=passwords)
    yield request(headers={"cookie": f"refresh_token={token}; __Host-sealring={token}; access_token={token}"})
    yield request(params=dict.fromkeys(("access_token", "token", "id_token_hint", "after", "nonce"), token))
    for name in ("shop", "parcels", "orders", issuer):
        yield request(headers=basic(name, token), json={"refresh_token": token})
        yield request(headers=basic(name, token), data={"token": token})
    for name, secret in (("shop", "slc_shop"), ("guest", "slc_guest")):
        for member in MEMBERS:
            yield request(headers=basic(name, secret), json={member: token})
            yield request(headers=basic(name, secret), data={member: token})
        for grant, member in GRANTS.items():
            message = {"grant_type": grant, member: token, "subject_token_type": TOKEN_TYPE, "scope": "sessions"}
            yield request(headers=basic(name, secret), data=message)
        yield request(headers=basic(name, secret), json={"username": "ada", "password": token, "scope": "sessions"})
        yield request(
            headers=basic(name, secret),
            json={"username": "ada", "password": "wrong", "device_token": token, "scope": "sessions"},
        )
    for name in () if path in ANSWERED_TO_AN_API else ("orders", "bills"):
        yield request(headers=basic(name, f"sla_{name}"), data={"token": token, "token_type_hint": "access_token"})


def basic(name: str, secret: str) -> dict[str, str]:
    made: httpx.Request = next(httpx.BasicAuth(name, secret).auth_flow(httpx.Request("GET", "http://x")))
    return {"authorization": made.headers["authorization"]}


async def everything_that_stands(site: SimpleNamespace) -> dict[str, Any]:
    """Read all that a forged token could have ended or changed; refused attempts may be recorded."""
    store, now = site.store, site.now
    return {
        "feed": await store.revocations.head(),
        "keys": await store.keys.version(),
        "apis": await store.apis.list_all(),
        "clients": await store.clients.list_all(),
        "users": [await store.users.find(sub) for sub in ("u1", "u2")],
        "sessions": await store.sessions.list_live(sub=None, now=now, limit=1000),
    }


@pytest.fixture
async def forger(site: SimpleNamespace) -> Forger:
    made = await site.add_symmetric_api()
    _, headers = await site.own_token()
    parcels = (await site.sign_in(scope="parcels:read")).json()["access_token"]
    return Forger(
        made,
        issuer=site.opened.house.issuer,
        own=headers["authorization"].removeprefix("Bearer "),
        parcels=parcels,
        key_set=site.opened.house.signer.key_set(),
    )


@pytest.mark.parametrize(("method", "path"), ALL_ROUTES)
async def test_no_route_takes_what_an_api_can_mint_or_a_confused_verifier_would(
    site: SimpleNamespace, forger: Forger, method: str, path: str
) -> None:
    sid = claims_of(forger.own)["sid"]
    here = path.replace("{sid}", sid).replace("{sub}", "u1").replace("{name}", "sealring.css")
    before = await everything_that_stands(site)
    async with site.client() as stranger:
        nonsense = [await stranger.send(each) for each in requests(forger.issuer, method, here, "nonsense")]
        assert len(nonsense) > 50
        # A true token of an API with a secret is worth nothing here either; its client may give it back all the same.
        true = [] if path == "/revoke" else [forger.parcels]
        for token in (*true, *forger.forgeries()):
            for request, control in zip(requests(forger.issuer, method, here, token), nonsense, strict=True):
                answer = await stranger.send(request)
                said = (answer.status_code, answer.content)
                # Who brings a forged token is told what everybody is told, or refused.
                refused = answer.status_code >= 400 or answer.content == b'{"active":false}'
                assert refused or said == (control.status_code, control.content), (request, request.content, said)
                assert sid.encode() not in answer.content
                assert b"internal_error" not in answer.content
    assert await everything_that_stands(site) == before


@pytest.mark.parametrize(("method", "path"), ALL_ROUTES)
async def test_no_route_takes_an_opaque_token_or_what_looks_like_one(
    site: SimpleNamespace, method: str, path: str
) -> None:
    await site.add_opaque_api()
    signed_in = (await site.sign_in(scope="letters:read")).json()
    true, sid = signed_in["access_token"], signed_in["sid"]
    assert true.startswith("slo_")
    here = path.replace("{sid}", sid).replace("{sub}", "u1").replace("{name}", "sealring.css")
    before = await everything_that_stands(site)
    issuer = site.opened.house.issuer
    async with site.client() as stranger:
        nonsense = [await stranger.send(each) for each in requests(issuer, method, here, "nonsense")]
        assert len(nonsense) > 50
        # Its client may give back a true one, and it is a token of ours only where its own API asks.
        tokens = [*([] if path == "/revoke" else [true]), *opaque_forgeries(true, site.opened.desk.randomness(90))]
        for token in tokens:
            for request, control in zip(requests(issuer, method, here, token), nonsense, strict=True):
                answer = await stranger.send(request)
                said = (answer.status_code, answer.content)
                refused = answer.status_code >= 400 or answer.content == b'{"active":false}'
                assert refused or said == (control.status_code, control.content), (request, request.content, said)
                assert sid.encode() not in answer.content
                assert b"internal_error" not in answer.content
    assert await everything_that_stands(site) == before


async def test_introspection_tells_the_apis_themselves_nothing_of_a_forgery(
    site: SimpleNamespace, forger: Forger
) -> None:
    made = await site.add_symmetric_api("letters")
    for token in forger.forgeries():
        for auth in (("orders", "sla_orders"), ("letters", made.api_key.reveal()), ("parcels", forger.api_key)):
            assert await site.inspect(token, auth=auth) == {"active": False}


async def test_the_operator_ends_nothing_by_a_forgery(site: SimpleNamespace, forger: Forger) -> None:
    before = await everything_that_stands(site)
    house = site.opened.house
    for token in forger.forgeries():
        request = RevokeToken(token=Secret(token))
        outcome = await revoke_token(request, store=house.store, signer=house.signer, clock=house.clock, actor="cli:x")
        assert getattr(outcome, "code", outcome) == "token_refused"
    assert await everything_that_stands(site) == before


@pytest.mark.parametrize("audience", ["orders", "bills", "http://localhost:8799"])
async def test_the_verifier_of_another_api_refuses_every_forgery(
    site: SimpleNamespace, forger: Forger, audience: str
) -> None:
    key_set = site.opened.house.signer.key_set()
    verifier = Verifier(forger.issuer, audience, jwks=key_set, feed="off", clock=lambda: site.now / 1000)
    for token in (forger.parcels, *forger.forgeries()):
        with pytest.raises(TokenRefused):
            verifier.verify(token)


async def test_the_forger_is_one_that_its_own_verifier_would_believe(site: SimpleNamespace, forger: Forger) -> None:
    secret = "slh_" + base64url.encode(forger.secret).decode()
    verifier = Verifier(forger.issuer, "parcels", symmetric_secrets=[secret], feed="off", clock=lambda: site.now / 1000)
    assert verifier.verify(forger.mint(aud="parcels", roles=["admin"])).roles == ("admin",)
    assert verifier.verify(forger.parcels).sub == "u1"
