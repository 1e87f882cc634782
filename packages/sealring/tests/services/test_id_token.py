import json
from typing import Any

import msgspec

from sealring.protocol.authorization_code import AuthorizationCode
from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.errors import OAuthError
from sealring.protocol.subject_identifier import PairwiseKey
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User
from sealring.services.desk import Desk
from sealring.services.id_token import make_id_token
from sealring_verify.jose.base64url import decode

FLOW = CodeFlow(redirect_uris=("https://shop.example/callback",), id_token_signed_response_alg="ES256")
SHOP = Client(client_id="shop", name="Shop", type="confidential", allowed={}, code_flow=FLOW, epoch=1, created_at=0)
ADA = User(sub="ada", claims={"name": "Ada", "nickname": "countess"}, epoch=1, created_at=0)
CODE = AuthorizationCode(
    digest=bytes(32),
    client_id="shop",
    redirect_uri="https://shop.example/callback",
    code_challenge=None,
    sub="ada",
    subject_epoch=1,
    client_epoch=1,
    sso_id="sso",
    scope=frozenset({"openid", "profile"}),
    resource="https://auth.example",
    nonce="n",
    requested_claims=b'{"id_token":{"nickname":null}}',
    auth_time=0,
    amr=("pwd",),
    acr=None,
    created_at=0,
    expires_at=60_000,
)
RESPONSE = TokenResponse(access_token="at", token_type="Bearer", expires_in=600, scope="openid", sid="sid-1")


def make(desk: Desk, client: Client = SHOP) -> Any:  # noqa: ANN401 -- a token or a refusal
    key = PairwiseKey(b"k" * 32)
    return make_id_token(CODE, ADA, client, RESPONSE, signer=desk.signer, pairwise_key=key, now=desk.clock())


async def test_claims_of_scopes_stay_out_of_the_id_token_and_requested_ones_stand_in_it(desk: Desk) -> None:
    header, payload, _ = make(desk).split(".")
    claims = json.loads(decode(payload.encode()))
    assert json.loads(decode(header.encode()))["typ"] == "JWT"
    assert "name" not in claims
    assert (claims["nickname"], claims["sub"], claims["sid"], claims["nonce"]) == ("countess", "ada", "sid-1", "n")


async def test_a_sector_gets_its_own_name_of_the_person(desk: Desk) -> None:
    flow = msgspec.structs.replace(FLOW, sector_identifier="shop.example")
    payload = make(desk, msgspec.structs.replace(SHOP, code_flow=flow)).split(".")[1]
    assert json.loads(decode(payload.encode()))["sub"] != "ada"


async def test_without_a_key_of_the_algorithm_there_is_no_id_token(desk: Desk) -> None:
    flow = msgspec.structs.replace(FLOW, id_token_signed_response_alg="PS256")
    refused = make(desk, msgspec.structs.replace(SHOP, code_flow=flow))
    assert isinstance(refused, OAuthError)
    assert (refused.code, refused.status) == ("no_signing_key", 503)
