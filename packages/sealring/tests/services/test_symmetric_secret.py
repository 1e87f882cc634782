from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from sealring.protocol.api_registration import ApiChange, ApiRegistration
from sealring.protocol.errors import OAuthError
from sealring.protocol.key_schedule import Schedule, StoredKey
from sealring.protocol.report import Report
from sealring.protocol.revocation_feed import FeedRequest
from sealring.services.acknowledgement import Readers
from sealring.services.api import ApiNamed, ApiSecretMade, ApiSeen, add_api, delete_api, update_api
from sealring.services.client_authentication import AuthenticatedApi
from sealring.services.key_admin import KeyDesk, KeysRevoked, KeysRotated, RevokeKey, list_keys, revoke_key
from sealring.services.key_schedule import turn_due_keys
from sealring.services.report import ReportBoard
from sealring.services.symmetric_secret import RotateSymmetricSecret, SymmetricSecretMade, rotate_symmetric_secret
from sealring_verify import InvalidToken, Verifier
from sealring_verify.symmetric_secret import parse_symmetric_secret

LINE = Schedule("access_token", "HS256", "parcels")
DAY = 24 * 3600 * 1000


def desk_of(site: SimpleNamespace) -> KeyDesk:
    return replace(site.opened.desk.keys, clock=lambda: site.now)


def readers(site: SimpleNamespace, *kids: str) -> Readers:
    """Give readers of whom one verifier of the API `parcels` said that it holds these keys."""
    board = ReportBoard()
    said = Report(verifier="v" * 22, incarnation=None, position=None, age_ms=None, keys=kids, counts={}, uses=())
    board.take("parcels", said, now=site.now)
    return Readers(feed=site.opened.house.feed, reports=board)


async def rotate(
    site: SimpleNamespace, api: str = "parcels", *, force: bool = False, said: Readers | None = None
) -> SymmetricSecretMade | KeysRotated | OAuthError:
    request = RotateSymmetricSecret(api=api, force=force)
    return await rotate_symmetric_secret(request, desk=desk_of(site), readers=said, actor="cli:root")


async def make_next(site: SimpleNamespace) -> SymmetricSecretMade:
    made = await rotate(site)
    assert isinstance(made, SymmetricSecretMade)
    return made


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


async def line(site: SimpleNamespace, schedule: Schedule = LINE) -> dict[str, StoredKey]:
    """Read a line's keys by state."""
    return {key.state: key for key in (await site.store.keys.stock()).keys if key.schedule == schedule}


def verifier(site: SimpleNamespace, *made: SymmetricSecretMade | ApiSecretMade) -> Verifier:
    """Give the API's verifier, which has these secrets."""
    secrets = [each.symmetric if isinstance(each, ApiSecretMade) else each.secret for each in made]
    texts = [secret.symmetric_secret.reveal() for secret in secrets if secret is not None]
    issuer = site.opened.house.issuer
    return Verifier(issuer, "parcels", symmetric_secrets=texts, feed="off", clock=lambda: site.now / 1000)


async def token(site: SimpleNamespace) -> str:
    answer = await site.sign_in(scope="parcels:read")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def test_an_api_is_added_with_a_secret_that_signs_its_very_next_token(site: SimpleNamespace) -> None:
    made = await site.add_symmetric_api()
    assert made.symmetric.symmetric_secret.reveal().startswith("slh_")
    assert "Whoever can verify these tokens can make them" in made.symmetric.warning
    assert made.api.access_token_signing_alg == "HS256"
    keys = await line(site)
    assert set(keys) == {"active"}
    assert keys["active"].kid == made.symmetric.kid
    assert verifier(site, made).verify(await token(site)).sub == "u1"


async def test_the_next_secret_waits_and_both_are_good_until_the_last_token_under_the_first(
    site: SimpleNamespace,
) -> None:
    first = await site.add_symmetric_api()
    own = ("parcels", first.api_key.reveal())
    second = await make_next(site)
    assert second.signs_from == site.now + DAY
    both = verifier(site, first, second)
    early = await token(site)
    assert verifier(site, first).verify(early).sub == "u1"
    assert both.verify(early).sub == "u1"
    turned = await rotate(site, said=readers(site, second.secret.kid))
    assert isinstance(turned, KeysRotated)
    assert (turned.kid, turned.retiring) == (second.secret.kid, first.symmetric.kid)
    late = await token(site)
    with pytest.raises(InvalidToken, match="unknown"):
        verifier(site, first).verify(late)
    for each in (early, late):
        assert both.verify(each).sub == "u1"
        assert (await site.inspect(each, auth=own))["active"]
    site.now = turned.leaves_at
    await turn_due_keys(
        store=site.store, signer=site.opened.house.signer, terms=desk_of(site).terms, holder="one", now=site.now
    )
    keys = await line(site)
    assert (keys["retired"].kid, keys["retired"].sealed) == (first.symmetric.kid, b"")
    assert [key.kid for key in site.opened.house.signer.symmetric_keys("parcels").keys] == [second.secret.kid]


async def test_it_turns_by_itself_after_its_day(site: SimpleNamespace) -> None:
    await site.add_symmetric_api()
    second = await make_next(site)
    signer, terms = site.opened.house.signer, desk_of(site).terms
    for passed, active in ((DAY - 1, False), (DAY, True)):
        now = site.now + passed
        await turn_due_keys(store=site.store, signer=signer, terms=terms, holder="one", now=now)
        assert ((await line(site))["active"].kid == second.secret.kid) is active
    assert "pending" not in await line(site)


async def test_a_turn_waits_until_every_verifier_says_that_it_has_the_secret(site: SimpleNamespace) -> None:
    first = await site.add_symmetric_api()
    second = await make_next(site)
    for said in (None, readers(site), readers(site, first.symmetric.kid)):
        refused = await rotate(site, said=said)
        assert isinstance(refused, OAuthError)
        assert (refused.code, refused.retry_after) == ("key_not_ready", DAY // 1000)
        assert f"keys revoke {second.secret.kid}" in refused.description
    assert isinstance(await rotate(site, force=True), KeysRotated)
    # Two at a time, by force as well: the first is still good somewhere.
    third = await rotate(site, force=True)
    assert isinstance(third, OAuthError)
    assert (third.code, third.retry_after) == ("key_not_ready", 600 + 60 + 1)


async def test_a_turn_waits_for_a_verifier_that_reads_the_feed_and_has_said_nothing(site: SimpleNamespace) -> None:
    await site.add_symmetric_api()
    second = await make_next(site)
    said = readers(site, second.secret.kid)
    api = await site.store.apis.find("parcels")
    reader = AuthenticatedApi(api=api, secret_digest=api.secret_digests[0])
    opened = [await said.feed.stream(reader, FeedRequest(after=0, wait=0, nonce=None)) for _ in range(2)]
    streams = [following(None) for following in opened]
    for stream in streams:
        await anext(stream)
    assert code_of(await rotate(site, said=said)) == "key_not_ready"
    await streams[0].aclose()
    assert isinstance(await rotate(site, said=said), KeysRotated)
    await streams[1].aclose()


async def test_a_secret_that_was_lost_on_its_way_makes_room_for_another(site: SimpleNamespace) -> None:
    first = await site.add_symmetric_api()
    lost = await make_next(site)
    revoked = await revoke_key(RevokeKey(kid=lost.secret.kid), desk=desk_of(site), actor="cli:root")
    assert isinstance(revoked, KeysRevoked)
    assert (revoked.successors, revoked.secrets) == ((), ())
    again = await make_next(site)
    assert again.secret.kid not in {lost.secret.kid, first.symmetric.kid}
    assert verifier(site, first).verify(await token(site)).sub == "u1"


async def test_a_withdrawn_secret_is_followed_by_one_that_is_delivered(site: SimpleNamespace) -> None:
    first = await site.add_symmetric_api()
    stolen = await token(site)
    revoked = await revoke_key(RevokeKey(kid=first.symmetric.kid), desk=desk_of(site), actor="cli:root")
    assert isinstance(revoked, KeysRevoked)
    (secret,) = revoked.secrets
    assert revoked.successors == (secret.kid,)
    assert await site.inspect(stolen, auth=("parcels", first.api_key.reveal())) == {"active": False}
    assert verifier(site, SymmetricSecretMade(secret=secret, signs_from=None)).verify(await token(site)).sub == "u1"


async def test_a_compromise_gives_each_api_a_new_secret_and_none_that_waits(site: SimpleNamespace) -> None:
    first = await site.add_symmetric_api()
    second = await make_next(site)
    request = RevokeKey(kid=first.symmetric.kid, compromised=True)
    revoked = await revoke_key(request, desk=desk_of(site), actor="cli:root")
    assert isinstance(revoked, KeysRevoked)
    assert {first.symmetric.kid, second.secret.kid} < set(revoked.kids)
    (secret,) = revoked.secrets
    assert (secret.api, (await line(site))["active"].kid) == ("parcels", secret.kid)
    assert "pending" not in await line(site)
    assert verifier(site, SymmetricSecretMade(secret=secret, signs_from=None)).verify(await token(site)).sub == "u1"


async def test_an_api_that_lost_its_secret_gets_one_that_signs_at_once(site: SimpleNamespace) -> None:
    await site.add_symmetric_api()
    standing = (await site.store.keys.stock()).standing
    await site.store.state.destroy_keys(standing, events=[])
    await turn_due_keys(
        store=site.store, signer=site.opened.house.signer, terms=desk_of(site).terms, holder="one", now=site.now
    )
    refused = await site.sign_in(scope="parcels:read")
    assert (refused.status_code, refused.json()["code"]) == (503, "no_signing_key")
    made = await make_next(site)
    assert made.signs_from is None
    assert verifier(site, made).verify(await token(site)).sub == "u1"


async def test_the_list_tells_whose_a_secret_is_and_asks_no_holder_of_one_to_fetch_keys(site: SimpleNamespace) -> None:
    await site.add_symmetric_api()
    second = await make_next(site)
    listed = await list_keys(desk=desk_of(site), readers=readers(site, second.secret.kid))
    seen = {key.kid: key for key in listed.keys}
    waiting = seen[second.secret.kid]
    assert (waiting.api, waiting.alg, waiting.state) == ("parcels", "HS256", "pending")
    assert (waiting.known_to, waiting.ready_at) == (("parcels",), site.now + DAY)
    others = [key for key in listed.keys if key.purpose == "access_token" and key.api is None]
    assert others
    assert all("parcels" not in (*key.known_to, *key.unknown_to) for key in others)


async def test_other_apis_have_no_secret_to_turn(site: SimpleNamespace) -> None:
    assert code_of(await rotate(site, "orders")) == "unknown_key_id"
    assert code_of(await rotate(site, "nobody")) == "unknown_api"


async def change(site: SimpleNamespace, identifier: str, alg: str) -> ApiSeen | OAuthError:
    return await update_api(
        ApiChange(identifier=identifier, access_token_signing_alg=alg),
        store=site.store,
        keys=desk_of(site),
        issuer=site.opened.house.issuer,
        clock=lambda: site.now,
        actor="cli:root",
    )


async def test_no_api_begins_to_share_a_secret_and_the_issuer_never_does(site: SimpleNamespace) -> None:
    issuer = site.opened.house.issuer
    before = await site.store.keys.version()
    assert code_of(await change(site, "orders", "HS256")) == "invalid_registration"
    assert code_of(await change(site, issuer, "HS256")) == "invalid_registration"
    own = ApiRegistration(identifier=issuer, scopes={"a": ""}, access_token_signing_alg="HS256")
    acting = {"store": site.store, "keys": desk_of(site), "clock": lambda: site.now, "actor": "cli:root"}
    assert code_of(await add_api(own, randomness=bytes, **acting)) == "invalid_registration"
    taken = ApiRegistration(identifier="orders", scopes={"a": ""}, access_token_signing_alg="HS256")
    assert code_of(await add_api(taken, randomness=bytes, **acting)) == "already_registered"
    assert await site.store.keys.version() == before


async def test_an_api_that_takes_the_common_keys_loses_its_secrets(site: SimpleNamespace) -> None:
    first = await site.add_symmetric_api()
    await make_next(site)
    old = await token(site)
    changed = await change(site, "parcels", "ES256")
    assert isinstance(changed, ApiSeen)
    assert set(await line(site)) == {"retired"}
    own = ("parcels", first.api_key.reveal())
    assert await site.inspect(old, auth=own) == {"active": False}
    assert (await site.inspect(await token(site), auth=own))["active"]


async def test_whoever_is_given_a_deleted_apis_name_shares_nothing_with_who_had_it(site: SimpleNamespace) -> None:
    first = await site.add_symmetric_api()
    shop = await site.store.clients.find("shop")
    without = {name: scopes for name, scopes in shop.allowed.items() if name != "parcels"}
    await site.store.clients.replace(replace(shop, allowed=without), read=shop, events=[])
    deleted = await delete_api(
        ApiNamed(identifier="parcels"),
        store=site.store,
        keys=desk_of(site),
        issuer=site.opened.house.issuer,
        clock=lambda: site.now,
        actor="cli:root",
    )
    assert not isinstance(deleted, OAuthError)
    assert set(await line(site)) == {"retired"}
    second = await site.add_symmetric_api()
    assert parse_symmetric_secret(second.symmetric.symmetric_secret.reveal()).kid != first.symmetric.kid
    with pytest.raises(InvalidToken):
        verifier(site, first).verify(await token(site))


async def test_secrets_are_in_the_audit_by_their_ids_alone(site: SimpleNamespace) -> None:
    made = await site.add_symmetric_api()
    events = [event for event in await site.events() if event.api == "parcels"]
    assert [(event.event, event.details.get("kid")) for event in events] == [
        ("api_added", None),
        ("key_added", made.symmetric.kid),
    ]
    assert made.symmetric.symmetric_secret.reveal() not in repr(await site.events())
