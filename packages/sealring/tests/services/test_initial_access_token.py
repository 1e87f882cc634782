from hashlib import sha256

from sealring.protocol.errors import OAuthError
from sealring.protocol.initial_access_token import MakeInitialAccessToken
from sealring.services.desk import Desk
from sealring.services.initial_access_token import (
    InitialAccessTokenMade,
    InitialAccessTokenNamed,
    delete_initial_access_token,
    list_initial_access_tokens,
    make_initial_access_token,
)

DAY = 24 * 3600 * 1000  # milliseconds


async def make(desk: Desk, request: MakeInitialAccessToken) -> InitialAccessTokenMade | OAuthError:
    return await make_initial_access_token(
        request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor="cli:ada"
    )


async def test_a_tokens_text_is_in_no_row_list_event_or_repr(desk: Desk) -> None:
    made = await make(desk, MakeInitialAccessToken(uses=2, days=3, note="books"))
    assert isinstance(made, InitialAccessTokenMade)
    text = made.initial_access_token.reveal()
    assert text.startswith("sli_")
    (kept,) = await desk.store.initial_access_tokens.list_all()
    assert kept.digest == sha256(text.encode()).digest()
    assert kept.expires_at - kept.created_at == 3 * DAY
    (seen,) = (await list_initial_access_tokens(store=desk.store)).initial_access_tokens
    assert (seen.id, seen.note, seen.uses_left) == (kept.id, "books", 2)
    events = await desk.store.audit.list_events(after=-1, limit=10)
    assert text not in repr((made, kept, seen, events))
    assert events[-1][1].event.actor == "cli:ada"


async def test_what_is_out_of_bounds_is_not_made(desk: Desk) -> None:
    refused = await make(desk, MakeInitialAccessToken(uses=0))
    assert isinstance(refused, OAuthError)
    assert await desk.store.initial_access_tokens.list_all() == ()


async def test_a_token_is_deleted_once(desk: Desk) -> None:
    made = await make(desk, MakeInitialAccessToken())
    assert isinstance(made, InitialAccessTokenMade)
    named = InitialAccessTokenNamed(id=made.seen.id)
    first = await delete_initial_access_token(named, store=desk.store, clock=desk.clock, actor="cli:ada")
    assert first == named
    again = await delete_initial_access_token(named, store=desk.store, clock=desk.clock, actor="cli:ada")
    assert isinstance(again, OAuthError)
    assert (again.code, again.status) == ("unknown_initial_access_token", 404)
