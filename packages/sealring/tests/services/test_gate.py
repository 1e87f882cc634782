import msgspec
import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.client_authentication import NoSecret
from sealring.protocol.errors import OAuthError
from sealring.protocol.gate import GateQuestion
from sealring.protocol.gate_registration import GateRegistration, parse_gate_registration
from sealring.protocol.pkce import code_challenge_of
from sealring.protocol.secret import Secret
from sealring.protocol.token_request import AuthorizationCodeRequest
from sealring.services.gate import (
    Credentials,
    Passed,
    authenticate_proxy,
    find_gate,
    find_registered_gate,
    pass_gate,
    sign_in_at_gate,
    sign_out_at_gate,
)

CODE_VERIFIER = "v" * 43
CALLER = Caller(network="127.0.0.0/24", user_agent=None)
ASKED = GateQuestion(host="app.example", scope=frozenset(), method="GET", target="/", redirects=False)
KNOWN = {"orders": frozenset({"orders:read", "orders:write"})}


class Gates:
    """A site with the gates app.example and other.example, which let people and tokens of `orders` in."""

    def __init__(self, site) -> None:  # noqa: ANN001 -- the fixture
        self.site = site

    async def open(self) -> "Gates":
        await self.site.add_app()
        for host in ("app.example", "other.example"):
            request = GateRegistration(host=host, api="orders", scopes=("orders:read",))
            client = parse_gate_registration(request, known=KNOWN, now=self.site.now)
            assert isinstance(client, Client)
            assert await self.site.store.clients.add(client, events=[])
        return self

    async def client(self, host: str = "app.example") -> Client:
        client = await find_gate(host, store=self.site.store)
        assert client is not None
        return client

    async def sign_in(self, code: str = "code-1", host: str = "app.example") -> Secret:
        client, house = await self.client(host), self.site.opened.house
        callback = f"https://{host}/.sealring/callback"
        await self.site.issue_code(
            code,
            client_id=client.client_id,
            redirect_uri=callback,
            client_epoch=client.epoch,
            code_challenge=code_challenge_of(CODE_VERIFIER),
            scope=frozenset({"openid", "orders:read"}),
            resource="orders",
            nonce=None,
        )
        request = AuthorizationCodeRequest(
            credentials=NoSecret(client_id=client.client_id),
            code=Secret(code),
            redirect_uri=callback,
            code_verifier=Secret(CODE_VERIFIER),
            resource=None,
        )
        cookie = await sign_in_at_gate(
            request,
            client,
            CALLER,
            store=house.store,
            signer=house.signer,
            pairwise_key=house.pairwise_key,
            now=house.clock(),
            randomness=house.randomness,
        )
        assert isinstance(cookie, Secret), cookie
        return cookie

    async def ask(
        self, host: str = "app.example", *, cookie: Secret | None = None, bearer: str | None = None, scope: str = ""
    ) -> Passed | str:
        house = self.site.opened.house
        outcome = await pass_gate(
            msgspec.structs.replace(ASKED, host=host, scope=frozenset(scope.split())),
            await self.client(host),
            Credentials(cookie=cookie, bearer=None if bearer is None else Secret(bearer)),
            store=house.store,
            signer=house.signer,
            checked=house.checked_tokens,
            now=house.clock(),
        )
        return outcome.code if isinstance(outcome, OAuthError) else outcome


@pytest.fixture
async def gates(site) -> Gates:  # noqa: ANN001 -- the fixture
    return await Gates(site).open()


async def test_a_cookie_opens_its_own_gate_and_no_other(gates: Gates) -> None:
    cookie = await gates.sign_in()
    passed = await gates.ask(cookie=cookie, scope="orders:read")
    assert isinstance(passed, Passed)
    assert passed.passage.sub == "u1"
    assert await gates.ask("other.example", cookie=cookie) == "gate_session_missing"
    elsewhere = await gates.sign_in("code-2", "other.example")
    assert await gates.ask(cookie=elsewhere) == "gate_session_missing"
    for text in ("", "slr_x", cookie.reveal()[:-1] + "A", (await gates.site.sign_in()).json()["refresh_token"]):
        assert await gates.ask(cookie=Secret(text)) == "gate_session_missing"


async def test_every_end_counts_at_the_next_request(gates: Gates) -> None:
    site, now = gates.site, gates.site.now
    cookie = await gates.sign_in("by itself")
    await sign_out_at_gate(
        cookie, await gates.client(), CALLER, store=site.store, signer=site.opened.house.signer, now=now
    )
    assert await gates.ask(cookie=cookie) == "gate_session_missing"
    cookie = await gates.sign_in("by the operator")
    assert await site.store.sessions.end_all_of("u1", reason="test", now=now, events=[]) == 1
    assert await gates.ask(cookie=cookie) == "gate_session_missing"


async def test_a_gate_session_ends_with_the_browsers_and_after_twelve_hours(gates: Gates) -> None:
    site = gates.site
    cookie = await gates.sign_in("one")
    site.pass_time(12 * 3600 - 1)
    assert isinstance(await gates.ask(cookie=cookie), Passed)
    site.pass_time(2)
    assert await gates.ask(cookie=cookie) == "gate_session_missing"
    cookie = await gates.sign_in("two")
    await site.store.sso_sessions.end("sso-1", reason="logged_out", now=site.now, events=[])
    assert await gates.ask(cookie=cookie) == "gate_session_missing"


async def test_the_cookie_is_no_refresh_token_of_anybody(gates: Gates) -> None:
    cookie = await gates.sign_in()
    for auth in (("shop", "slc_shop"), ("app", "slc_app"), ("gate~app.example", "")):
        answer = await gates.site.token("refresh_token", auth=auth, refresh_token=cookie.reveal())
        assert answer.status_code in {400, 401}
    assert isinstance(await gates.ask(cookie=cookie), Passed)


async def test_a_bearer_token_needs_api_scope_and_a_living_session(gates: Gates) -> None:
    site = gates.site
    token = (await site.sign_in(scope="orders:read")).json()
    assert isinstance(await gates.ask(bearer=token["access_token"], scope="orders:read"), Passed)
    assert await gates.ask(bearer=token["access_token"], scope="orders:write") == "insufficient_scope"
    program = (await site.token(scope="orders:read")).json()["access_token"]
    passed = await gates.ask(bearer=program)
    assert isinstance(passed, Passed)
    assert (passed.passage.sub, passed.passage.sid) == ("robot", None)
    foreign = (await site.sign_in(scope="bills:read")).json()["access_token"]
    own = (await site.sign_in(scope="sessions")).json()["access_token"]
    for text in (foreign, own, "", "x.y.z", token["refresh_token"], passed.assertion):
        assert await gates.ask(bearer=text) == "token_refused"
    await site.store.sessions.end(token["sid"], reason="test", now=site.now, events=[])
    assert await gates.ask(bearer=token["access_token"]) == "session_ended"


async def test_a_bearer_token_that_is_refused_is_never_made_good_by_a_cookie(gates: Gates) -> None:
    assert await gates.ask(cookie=await gates.sign_in(), bearer="x") == "token_refused"


async def test_a_scope_that_the_gate_lost_counts_at_once_and_one_that_it_got_needs_a_log_in(gates: Gates) -> None:
    cookie, client = await gates.sign_in(), await gates.client()
    assert await gates.ask(cookie=cookie, scope="orders:write") == "insufficient_scope"
    more = msgspec.structs.replace(client, allowed={"orders": frozenset({"orders:write"})})
    assert await gates.site.store.clients.replace(more, read=client, events=[])
    assert await gates.ask(cookie=cookie, scope="orders:write") == "gate_session_missing"
    assert await gates.ask(cookie=cookie, scope="orders:read") == "insufficient_scope"


async def test_only_the_key_of_a_host_asks_about_it(gates: Gates) -> None:
    store = gates.site.store
    assert await find_registered_gate("app", store=store) is None
    for key in (None, "", "slg_x", "\udcff"):
        refused = await authenticate_proxy(key, "app.example", store=store)
        assert isinstance(refused, OAuthError)
        assert refused.code == "gate_key_refused"
