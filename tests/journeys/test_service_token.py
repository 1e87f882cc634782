"""One service calls another, over a real server: first token, revocation, an outage, a secret that turns."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import httpx
import pytest
import uvicorn
from fastapi import Depends, FastAPI

from sealring_verify import AccessToken, ServiceToken, TokenUnavailable
from sealring_verify.integrations.fastapi import Verifier

if TYPE_CHECKING:
    from conftest import Installation


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def serving(installation: "Installation") -> "Installation":
    await installation.furnish()
    await installation.start()
    return installation


@pytest.fixture
async def orders(serving: "Installation") -> AsyncIterator[str]:
    """The called API, which follows the revocation feed; its address."""
    verifier = Verifier(serving.issuer, "orders", api_key="sla_of_the_tests", reports=False)
    app = FastAPI()
    verifier.install(app)

    @app.get("/orders")
    async def list_orders(token: Annotated[AccessToken, Depends(verifier.require("orders:read"))]) -> list[str]:
        return [token.sub, token.jti]

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}/orders"
    server.should_exit = True
    await running


async def register(serving: "Installation", *more: str) -> str:
    """Register the calling service, or turn its secret; the new secret."""
    command = more or ("clients", "add", "reports", "--client-credentials", "--no-refresh")
    if not more:
        command += ("--allow", "orders", "orders:read orders:write")
    ran = await serving.run(*command)
    assert ran.status == 0, ran.err
    secret = re.search(r"slc_\S+", ran.out)
    assert secret is not None
    return secret[0]


async def test_threads_and_tasks_call_with_one_token_and_a_revoked_one_is_replaced(
    serving: "Installation", orders: str
) -> None:
    token = ServiceToken(serving.issuer, "reports", await register(serving), "orders", "orders:read")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(token.token())) for _ in range(20)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(token.token_async() for _ in range(20)))
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    assert set(found) == {await token.token_async()}
    async with httpx.AsyncClient(auth=token, timeout=20) as client:
        answers = [(await client.get(orders)).json() for _ in range(3)]
        assert {tuple(answer) for answer in answers} == {tuple(answers[0])}
        assert answers[0][0] == "reports"
        revoked = await serving.run("tokens", "revoke", "-", stdin=found[0])
        assert revoked.status == 0, revoked.err
        again = await client.get(orders)
        # The API refused the old one by its feed; nobody here saw it.
        assert again.status_code == 200
        assert again.json()[1] != answers[0][1]
        assert await token.token_async() != found[0]


async def test_an_outage_is_bridged_by_the_token_at_hand_and_then_said(serving: "Installation") -> None:
    hand = Hand()
    token = ServiceToken(serving.issuer, "reports", await register(serving), "orders", "orders:read", monotonic=hand)
    first = await token.token_async()
    await serving.kill()
    hand.now += 541
    assert await token.token_async() == first
    hand.now += 53
    assert await token.token_async() == first
    hand.now += 60
    with pytest.raises(TokenUnavailable) as refused:
        await token.token_async()
    assert refused.value.code == "issuer_unreachable"
    await serving.start()
    hand.now += 31
    assert await token.token_async() not in {"", first}


async def test_a_secret_turned_once_is_still_good_and_turned_twice_it_is_told(serving: "Installation") -> None:
    hand = Hand()
    secret = await register(serving)
    token = ServiceToken(serving.issuer, "reports", secret, "orders", "orders:read", monotonic=hand)
    first = await token.token_async()
    await register(serving, "clients", "rotate-secret", "reports")
    hand.now += 600
    second = await token.token_async()
    assert second != first
    newest = await register(serving, "clients", "rotate-secret", "reports")
    hand.now += 600
    with pytest.raises(TokenUnavailable) as refused:
        await token.token_async()
    assert refused.value.code == "client_authentication_failed"
    assert secret not in f"{refused.value!r} {refused.value} {token!r}"
    after = ServiceToken(serving.issuer, "reports", newest, "orders", "orders:read")
    assert await after.token_async()


@pytest.mark.parametrize(
    ("audience", "scope", "code"),
    [
        ("orders", "orders:delete", "scope_refused"),
        ("stock", "orders:read", "audience_refused"),
    ],
)
async def test_what_the_client_may_not_ask_for_is_told(
    serving: "Installation", audience: str, scope: str, code: str
) -> None:
    token = ServiceToken(serving.issuer, "reports", await register(serving), audience, scope)
    with pytest.raises(TokenUnavailable) as refused:
        await token.token_async()
    assert refused.value.code == code


async def test_a_client_without_the_grant_is_told(serving: "Installation") -> None:
    token = ServiceToken(serving.issuer, "shop", "slc_of_the_tests", "orders", "orders:read")
    with pytest.raises(TokenUnavailable, match=r"token_request_refused.*grant_not_registered"):
        await token.token_async()
