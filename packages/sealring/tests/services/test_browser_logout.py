from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.client import ClientLogout
from sealring.protocol.errors import OAuthError
from sealring.services.browser_logout import LogoutAsked, find_logout_request, log_out_browser, needs_confirmation

CALLER = Caller(network="192.0.2.0/24", user_agent="Firefox")
HOME = "https://app.example/bye"


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    client = await site.store.clients.find("app")
    logout = ClientLogout(post_logout_redirect_uris=(HOME, HOME + "?a=b"))
    await site.store.clients.replace(msgspec.structs.replace(client, logout=logout), read=client, events=[])
    return site


async def find(app: SimpleNamespace, **parameters: str) -> Any:  # noqa: ANN401 -- asked or a refusal
    given = {name: (value,) for name, value in parameters.items()}
    return await find_logout_request(given, store=app.store, signer=app.opened.house.signer)


async def tokens(app: SimpleNamespace) -> dict[str, Any]:
    return dict((await app.redeem_code(await app.issue_code())).json())


async def test_an_id_token_names_client_and_person_even_when_it_has_expired(app: SimpleNamespace) -> None:
    hint = (await tokens(app))["id_token"]
    app.pass_time(3600)
    asked = await find(app, id_token_hint=hint, post_logout_redirect_uri=HOME, state="s t")
    assert isinstance(asked, LogoutAsked)
    assert asked.client is not None
    assert (asked.client.client_id, asked.location) == ("app", HOME + "?state=s+t")
    plain = await find(app, id_token_hint=hint, post_logout_redirect_uri=HOME + "?a=b")
    assert plain.location == HOME + "?a=b"


@pytest.mark.parametrize("spoil", [lambda token: token[:-2], lambda _: "x", lambda token: token.split(".")[0] + "..x"])
async def test_a_bad_hint_redirects_nobody(app: SimpleNamespace, spoil: Any) -> None:  # noqa: ANN401 -- a function
    refused = await find(app, id_token_hint=spoil((await tokens(app))["id_token"]), post_logout_redirect_uri=HOME)
    assert isinstance(refused, OAuthError)
    assert refused.code == "invalid_id_token_hint"


async def test_an_access_token_is_no_hint(app: SimpleNamespace) -> None:
    assert isinstance(await find(app, id_token_hint=(await tokens(app))["access_token"]), OAuthError)


async def test_without_a_hint_the_person_is_asked_and_nobody_is_redirected(app: SimpleNamespace) -> None:
    refused = await find(app, client_id="app", post_logout_redirect_uri=HOME)
    assert isinstance(refused, OAuthError)
    session = await app.store.sso_sessions.find(bytes(32), now=app.now)
    key = app.opened.house.pairwise_key
    assert needs_confirmation(await find(app), session, pairwise_key=key)
    assert not needs_confirmation(await find(app), None, pairwise_key=key)
    hinted = await find(app, id_token_hint=(await tokens(app))["id_token"])
    assert not needs_confirmation(hinted, session, pairwise_key=key)


async def test_an_id_token_of_somebody_else_logs_nobody_out_unasked(app: SimpleNamespace) -> None:
    hinted = await find(app, id_token_hint=(await tokens(app))["id_token"])
    session = await app.store.sso_sessions.find(bytes(32), now=app.now)
    other = msgspec.structs.replace(session, sub="u2")
    assert needs_confirmation(hinted, other, pairwise_key=app.opened.house.pairwise_key)


async def test_a_log_out_ends_the_browser_and_every_client(app: SimpleNamespace) -> None:
    body = await tokens(app)
    session = await app.store.sso_sessions.find(bytes(32), now=app.now)
    await log_out_browser(session, None, CALLER, store=app.store, now=app.now)
    assert await app.store.sso_sessions.find(bytes(32), now=app.now) is None
    assert await app.store.sessions.find(body["sid"], now=app.now) is None
    renewed = await app.token("refresh_token", auth=("app", "slc_app"), refresh_token=body["refresh_token"])
    assert renewed.json()["error"] == "invalid_grant"


async def test_where_the_browser_has_no_session_the_clients_own_ends(app: SimpleNamespace) -> None:
    body = await tokens(app)
    asked = await find(app, id_token_hint=body["id_token"])
    await log_out_browser(None, asked.hint, CALLER, store=app.store, now=app.now)
    assert await app.store.sessions.find(body["sid"], now=app.now) is None
    assert await app.store.sso_sessions.find(bytes(32), now=app.now) is not None
