from types import SimpleNamespace

from sealring.protocol.errors import OAuthError
from sealring.protocol.revocation import Revocation
from sealring.protocol.secret import Secret
from sealring.services.revocation import RevokeToken, TokenRevoked, revoke_token


async def revoke(site: SimpleNamespace, token: str) -> TokenRevoked | OAuthError:
    house = site.opened.house
    request = RevokeToken(token=Secret(token))
    return await revoke_token(request, store=house.store, signer=house.signer, clock=house.clock, actor="cli:root")


async def test_one_token_ends_and_its_session_goes_on(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    other = (await site.refresh(answer["refresh_token"])).json()
    outcome = await revoke(site, answer["access_token"])
    assert isinstance(outcome, TokenRevoked)
    assert (outcome.sub, outcome.client_id, outcome.aud, outcome.collapsed) == ("u1", "shop", ("orders",), False)
    assert await site.inspect(answer["access_token"]) == {"active": False}
    assert (await site.inspect(other["access_token"]))["active"]
    assert [event.event for event in await site.events()][-1] == "token_revoked"


async def test_an_ended_token_opens_nothing_of_ours(site: SimpleNamespace) -> None:
    _, headers = await site.own_token()
    async with site.client() as person:
        assert (await person.get("/sessions", headers=headers)).status_code == 200
        assert isinstance(await revoke(site, headers["authorization"].removeprefix("Bearer ")), TokenRevoked)
        assert (await person.get("/sessions", headers=headers)).json()["code"] == "session_ended"


async def test_what_is_no_live_token_of_ours_is_refused(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    garbled = answer["access_token"][:-2] + "AA"
    for wrong in ("", "x", garbled, answer["refresh_token"]):
        outcome = await revoke(site, wrong)
        assert isinstance(outcome, OAuthError)
        assert outcome.code == "token_refused"
    site.pass_time(601)
    assert isinstance(await revoke(site, answer["access_token"]), OAuthError)


async def test_a_client_with_a_thousand_ended_tokens_ends_as_a_whole(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    for number in range(1000):
        ended = Revocation(
            kind="jti", value=f"t{number}", at=site.now, audiences=frozenset({"orders"}), client_id="shop"
        )
        assert await site.store.revocations.end_token(ended, most=1000, now=site.now, events=[])
    outcome = await revoke(site, answer["access_token"])
    assert isinstance(outcome, TokenRevoked)
    assert outcome.collapsed
    assert await site.inspect(answer["access_token"]) == {"active": False}
    assert (await site.refresh(answer["refresh_token"])).json()["code"] == "refresh_refused"


async def test_one_token_of_an_api_with_a_secret_ends_for_that_api_alone(site: SimpleNamespace) -> None:
    made = await site.add_symmetric_api()
    own = ("parcels", made.api_key.reveal())
    token = (await site.sign_in(scope="parcels:read")).json()["access_token"]
    outcome = await revoke(site, token)
    assert isinstance(outcome, TokenRevoked)
    assert (outcome.sub, outcome.client_id, outcome.aud) == ("u1", "shop", ("parcels",))
    assert await site.inspect(token, auth=own) == {"active": False}
    assert await site.store.revocations.audiences_after(0) == {"parcels"}
