import asyncio

import msgspec
import pytest

from sealring.ports import NewSession, Store
from sealring.protocol.authorization_code import AuthorizationCode
from sealring.protocol.sso_session import SsoSession

FAR = 10**15
DIGEST = b"c" * 32
CODE = AuthorizationCode(
    digest=DIGEST,
    client_id="shop",
    redirect_uri="https://shop.example/callback?x=1",
    code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    sub="ada",
    subject_epoch=5,
    client_epoch=7,
    sso_id="sso-1",
    scope=frozenset({"openid", "orders:read"}),
    resource="orders",
    nonce="n-0S6_WzA2Mj",
    requested_claims=b'{"userinfo":{"name":null}}',
    auth_time=1500,
    amr=("pwd",),
    acr="1",
    created_at=2000,
    expires_at=62_000,
)


@pytest.fixture
async def signed_in(shop: Store) -> Store:
    sso = SsoSession(
        id="sso-1",
        sub="ada",
        subject_epoch=5,
        auth_time=1500,
        amr=("pwd",),
        created_at=1500,
        last_used_at=1500,
        idle_expires_at=FAR,
        absolute_expires_at=FAR,
    )
    assert await shop.sso_sessions.create(sso, digest=b"d" * 32, now=1500, events=[])
    return shop


@pytest.fixture
def from_code(new_session: NewSession) -> NewSession:
    return msgspec.structs.replace(
        new_session, sso_id="sso-1", acr="1", requested_claims=CODE.requested_claims, backchannel_logout=True
    )


async def test_a_code_is_found_as_it_was_issued(signed_in: Store) -> None:
    assert await signed_in.authorization_codes.find(DIGEST, now=2000) is None
    assert await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    presented = await signed_in.authorization_codes.find(DIGEST, now=2000)
    assert presented is not None
    assert presented.code == CODE
    assert (presented.spent_at, presented.sid, presented.stands) == (None, None, True)


@pytest.mark.parametrize("member", [{"subject_epoch": 4}, {"client_epoch": 6}, {"sso_id": "sso-2"}, {"sub": "bob"}])
async def test_a_code_whose_proof_no_longer_stands_is_not_kept(signed_in: Store, member: dict[str, object]) -> None:
    code = msgspec.structs.replace(CODE, **member)
    assert not await signed_in.authorization_codes.add(code, now=2000, events=[])
    assert await signed_in.authorization_codes.find(DIGEST, now=2000) is None


async def test_a_code_becomes_one_session(signed_in: Store, from_code: NewSession) -> None:
    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    assert await signed_in.authorization_codes.redeem(DIGEST, from_code, now=3000, events=[])
    session = await signed_in.sessions.find("sid-1", now=3000)
    assert session is not None
    assert (session.sso_id, session.acr, session.requested_claims) == ("sso-1", "1", CODE.requested_claims)
    again = msgspec.structs.replace(from_code, key=b"0002" + bytes(16), sid="sid-2")
    assert not await signed_in.authorization_codes.redeem(DIGEST, again, now=3001, events=[])
    assert await signed_in.sessions.find("sid-2", now=3001) is None
    presented = await signed_in.authorization_codes.find(DIGEST, now=3001)
    assert presented is not None
    assert (presented.spent_at, presented.sid) == (3000, "sid-1")


async def test_of_many_who_redeem_a_code_at_once_one_opens_a_session(signed_in: Store, from_code: NewSession) -> None:
    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    sessions = [
        msgspec.structs.replace(from_code, key=number.to_bytes(4, "big") + bytes(16), sid=f"sid-{number}")
        for number in range(20)
    ]
    redeem = signed_in.authorization_codes.redeem
    outcomes = await asyncio.gather(*(redeem(DIGEST, session, now=3000, events=[]) for session in sessions))
    assert outcomes.count(True) == 1
    assert await signed_in.sessions.count_live(sub="ada", now=3000) == 1


async def test_a_code_is_worth_nothing_from_its_expiry_on(signed_in: Store, from_code: NewSession) -> None:
    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    assert not await signed_in.authorization_codes.redeem(DIGEST, from_code, now=62_000, events=[])
    assert await signed_in.authorization_codes.redeem(DIGEST, from_code, now=61_999, events=[])


async def test_the_end_of_the_browser_session_is_the_end_of_its_codes(signed_in: Store, from_code: NewSession) -> None:
    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    await signed_in.sso_sessions.end("sso-1", reason="logged_out", now=2500, events=[])
    presented = await signed_in.authorization_codes.find(DIGEST, now=3000)
    assert presented is not None
    assert not presented.stands
    assert not await signed_in.authorization_codes.redeem(DIGEST, from_code, now=3000, events=[])


async def test_a_raised_epoch_is_the_end_of_codes(signed_in: Store, from_code: NewSession) -> None:
    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    await signed_in.sessions.end_all_of("ada", reason="ended_by_user", now=2500, events=[])
    assert not await signed_in.authorization_codes.redeem(DIGEST, from_code, now=3000, events=[])
    await signed_in.clients.raise_epoch("shop", now=2500, events=[])
    presented = await signed_in.authorization_codes.find(DIGEST, now=3000)
    assert presented is not None
    assert not presented.stands


async def test_codes_are_forgotten_after_their_expiry(signed_in: Store) -> None:
    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    assert await signed_in.authorization_codes.forget_expired(before=61_999, limit=10) == 0
    assert await signed_in.authorization_codes.forget_expired(before=62_000, limit=10) == 1
    assert await signed_in.authorization_codes.find(DIGEST, now=2000) is None


async def test_a_refreshed_session_still_knows_where_it_came_from(signed_in: Store, from_code: NewSession) -> None:
    from sealring.protocol.refresh_token import PresentedRefreshToken

    await signed_in.authorization_codes.add(CODE, now=2000, events=[])
    await signed_in.authorization_codes.redeem(DIGEST, from_code, now=3000, events=[])
    presented = PresentedRefreshToken(key=from_code.key, generation=0, client_id="shop")
    grant = await signed_in.sessions.advance(presented, mac_key_id=0, idle_lifetime=100, now=4000, service_now=0)
    assert grant is not None
    assert (grant.sso_id, grant.acr, grant.requested_claims) == ("sso-1", "1", CODE.requested_claims)
