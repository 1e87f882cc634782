from collections.abc import Awaitable, Callable

import msgspec

from sealring.ports import Store
from sealring.protocol.consent import Consent

OpenSession = Callable[..., Awaitable[object]]

CONSENT = Consent(
    sub="ada",
    client_id="shop",
    redirect_uri="https://shop.example/callback",
    scope=frozenset({"openid", "orders:read"}),
    resources=frozenset({"orders"}),
    metadata_digest=b"m" * 32,
    granted_at=2000,
)
NATIVE = msgspec.structs.replace(CONSENT, redirect_uri="com.example.shop:/callback", granted_at=2500)


async def test_a_consent_is_found_for_its_redirect_uri_alone(shop: Store) -> None:
    await shop.consents.keep(CONSENT, events=[])
    assert await shop.consents.find("ada", "shop", "https://shop.example/callback") == CONSENT
    assert await shop.consents.find("ada", "shop", "https://shop.example/other") is None
    assert await shop.consents.find("bob", "shop", "https://shop.example/callback") is None


async def test_a_newer_consent_takes_the_place_of_the_older(shop: Store) -> None:
    await shop.consents.keep(CONSENT, events=[])
    wider = msgspec.structs.replace(CONSENT, scope=CONSENT.scope | {"email"}, metadata_digest=b"n" * 32)
    await shop.consents.keep(wider, events=[])
    assert await shop.consents.list_of("ada") == (wider,)


async def test_the_consents_of_a_person_are_listed(shop: Store) -> None:
    await shop.consents.keep(NATIVE, events=[])
    await shop.consents.keep(CONSENT, events=[])
    assert await shop.consents.list_of("ada") == (CONSENT, NATIVE)
    assert await shop.consents.list_of("bob") == ()


async def test_a_withdrawn_consent_ends_the_sessions_of_that_person_at_that_client(
    shop: Store, open_session: OpenSession
) -> None:
    await shop.consents.keep(CONSENT, events=[])
    await shop.consents.keep(NATIVE, events=[])
    await open_session(1)
    await open_session(2)
    before = (await shop.revocations.head()).number
    assert await shop.consents.withdraw("ada", "shop", now=3000, events=[]) == 2
    assert await shop.consents.list_of("ada") == ()
    assert await shop.sessions.find("sid-1", now=3000) is None
    assert (await shop.revocations.head()).number == before + 2


async def test_what_was_never_allowed_cannot_be_withdrawn(shop: Store, open_session: OpenSession) -> None:
    await open_session(1)
    assert await shop.consents.withdraw("ada", "shop", now=3000, events=[]) is None
    assert await shop.sessions.find("sid-1", now=3000) is not None
