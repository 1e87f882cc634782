import asyncio
import json

import pytest

from sealring.limiting.registration import MemoryRegistrationLimit
from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.protocol.caller import Caller
from sealring.protocol.client_metadata import ClientMetadata
from sealring.protocol.errors import OAuthError
from sealring.protocol.initial_access_token import MakeInitialAccessToken
from sealring.services.desk import Desk
from sealring.services.initial_access_token import InitialAccessTokenMade, make_initial_access_token
from sealring.services.key_schedule import complete_key_stock
from sealring.services.registration import RegisteredClient, RegistrationDesk, register_client

URI = "https://shop.example/callback"
SECTOR = "https://sector.example/uris"
HOME = Caller(network="192.0.2.0/24", user_agent="curl")


class Documents:
    """Other people's servers, which all answer the same; `asked`: the addresses that were fetched."""

    def __init__(self, answer: OutgoingAnswer | OutgoingFailed) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        self.asked.append(url)
        return self.answer


async def registering(
    desk: Desk, documents: Documents, *, per_network: int = 100, needs_token: bool = False
) -> RegistrationDesk:
    await complete_key_stock(store=desk.store, terms=desk.keys.terms, now=desk.clock())
    return RegistrationDesk(
        store=desk.store,
        keys=desk.keys,
        outgoing=documents,  # type: ignore[arg-type] - registration fetches, and posts nothing
        limit=MemoryRegistrationLimit(per_network=per_network),
        clock=desk.clock,
        randomness=desk.randomness,
        needs_token=needs_token,
        frontchannel_logout=False,
        require_pkce=True,
        most_clients=100,
    )


async def test_a_sector_lists_every_redirect_uri(desk: Desk) -> None:
    uris = (URI, "https://b.example/")
    documents = Documents(OutgoingAnswer(status=200, body=json.dumps(uris).encode()))
    there = await registering(desk, documents)
    said = ClientMetadata(redirect_uris=uris, subject_type="pairwise", sector_identifier_uri=SECTOR)
    made = await register_client(said, None, HOME, desk=there)
    assert isinstance(made, RegisteredClient)
    assert made.client.code_flow is not None
    assert made.client.code_flow.sector_identifier == "sector.example"
    beyond = ClientMetadata(redirect_uris=(URI + "2",), sector_identifier_uri=SECTOR)
    refused = await register_client(beyond, None, HOME, desk=there)
    assert isinstance(refused, OAuthError)
    assert refused.code == "invalid_client_metadata"
    assert documents.asked == [SECTOR] * 2


@pytest.mark.parametrize(
    "answer",
    [
        OutgoingFailed(),
        OutgoingAnswer(status=404, body=b'["https://shop.example/callback"]'),
        OutgoingAnswer(status=302, body=b""),
        *(OutgoingAnswer(status=200, body=body) for body in (b"", b"{}", b"[1]", b"\xff", b'"https://shop.example/"')),
    ],
)
async def test_whatever_lies_at_a_sectors_address_is_answered_alike(
    desk: Desk, answer: OutgoingAnswer | OutgoingFailed
) -> None:
    said = ClientMetadata(redirect_uris=(URI,), sector_identifier_uri=SECTOR)
    refused = await register_client(said, None, HOME, desk=await registering(desk, Documents(answer)))
    assert isinstance(refused, OAuthError)
    assert refused.description == "The document at sector_identifier_uri does not list every redirect URI."


async def test_nothing_is_fetched_for_whoever_is_beyond_the_limit(desk: Desk) -> None:
    documents = Documents(OutgoingFailed())
    there = await registering(desk, documents, per_network=1)
    said = ClientMetadata(redirect_uris=(URI,), sector_identifier_uri=SECTOR)
    await register_client(said, None, HOME, desk=there)
    refused = await register_client(said, None, HOME, desk=there)
    assert isinstance(refused, OAuthError)
    assert (refused.code, refused.retry_after) == ("registration_limited", 600)
    assert len(documents.asked) == 1


async def test_no_secret_of_a_new_client_is_in_its_repr(desk: Desk) -> None:
    there = await registering(desk, Documents(OutgoingFailed()))
    made = await register_client(ClientMetadata(redirect_uris=(URI,)), None, HOME, desk=there)
    assert isinstance(made, RegisteredClient)
    assert made.client_secret is not None
    assert made.client_secret.reveal() not in repr(made)
    assert made.registration_access_token.reveal() not in repr(made)


async def make_token(desk: Desk, *, uses: int = 1) -> str:
    request = MakeInitialAccessToken(uses=uses)
    made = await make_initial_access_token(
        request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor="cli:ada"
    )
    assert isinstance(made, InitialAccessTokenMade)
    return made.initial_access_token.reveal()


async def test_of_many_at_once_a_token_registers_as_many_as_it_has_uses(desk: Desk) -> None:
    there = await registering(desk, Documents(OutgoingFailed()), needs_token=True)
    token = await make_token(desk, uses=3)
    said = ClientMetadata(redirect_uris=(URI,))
    outcomes = await asyncio.gather(*(register_client(said, token, HOME, desk=there) for _ in range(8)))
    refused = [outcome for outcome in outcomes if isinstance(outcome, OAuthError)]
    assert [each.code for each in refused] == ["initial_access_token_refused"] * 5
    assert len([client for client in await desk.store.clients.list_all() if client.self_registered]) == 3
    (kept,) = await desk.store.initial_access_tokens.list_all()
    assert kept.uses_left == 0


async def test_nothing_is_fetched_and_no_use_is_spent_for_what_is_refused(desk: Desk) -> None:
    documents = Documents(OutgoingFailed())
    there = await registering(desk, documents, needs_token=True)
    token = await make_token(desk)
    said = ClientMetadata(redirect_uris=(URI,), sector_identifier_uri=SECTOR)
    for wrong, code in ((None, "token_missing"), ("sli_x", "initial_access_token_refused")):
        refused = await register_client(said, wrong, HOME, desk=there)
        assert isinstance(refused, OAuthError)
        assert (refused.code, refused.status) == (code, 401)
    assert documents.asked == []
    assert isinstance(await register_client(said, token, HOME, desk=there), OAuthError)
    (kept,) = await desk.store.initial_access_tokens.list_all()
    assert kept.uses_left == 1
