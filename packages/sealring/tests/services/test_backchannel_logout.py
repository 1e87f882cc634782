from collections.abc import Mapping
from types import SimpleNamespace

import msgspec
import pytest

from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.protocol.client import ClientLogout
from sealring.services.backchannel_logout import Teller, tell_due_logouts
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jws import verify_compact

URI = "https://app.example/backchannel"


class Clients:
    """The clients' servers: they answer what the test says, and keep what they were sent."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[tuple[str, Mapping[str, str]]] = []

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        raise AssertionError(url)

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingAnswer | OutgoingFailed:
        self.heard.append((url, form))
        return OutgoingAnswer(status=self.status, body=b"") if self.status else OutgoingFailed()

    async def post_json(self, url: str, body: bytes) -> OutgoingAnswer | OutgoingFailed:
        raise AssertionError(url, body)


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    client = await site.store.clients.find("app")
    logout = ClientLogout(backchannel_logout_uri=URI)
    await site.store.clients.replace(msgspec.structs.replace(client, logout=logout), read=client, events=[])
    site.clients = Clients()
    return site


def teller(app: SimpleNamespace, holder: str = "node-1") -> Teller:
    house = app.opened.house
    return Teller(
        store=house.store,
        signer=house.signer,
        outgoing=app.clients,
        pairwise_key=house.pairwise_key,
        randomness=house.randomness,
        holder=holder,
    )


async def log_in_and_out(app: SimpleNamespace) -> str:
    sid = str((await app.redeem_code(await app.issue_code())).json()["sid"])
    await app.store.sessions.end_all_of("u1", reason="ended_by_user", now=app.now, events=[])
    return sid


async def test_a_client_is_told_of_an_ended_session_once(app: SimpleNamespace) -> None:
    sid = await log_in_and_out(app)
    assert await tell_due_logouts(teller(app), now=app.now) == 1
    assert await tell_due_logouts(teller(app), now=app.now) == 0
    ((url, form),) = app.clients.heard
    assert (url, form.keys()) == (URI, {"logout_token"})
    signed = verify_compact(
        form["logout_token"], keys=app.opened.house.signer.verification_keys(), algorithms=ALGORITHMS
    )
    claims = msgspec.json.decode(signed.payload)
    assert signed.header.typ == "logout+jwt"
    assert (claims["aud"], claims["sub"], claims["sid"]) == ("app", "u1", sid)


@pytest.mark.parametrize("status", [0, 400, 302, 500])
async def test_a_client_that_does_not_take_it_is_told_again(app: SimpleNamespace, status: int) -> None:
    await log_in_and_out(app)
    app.clients.status = status
    await tell_due_logouts(teller(app), now=app.now)
    assert await tell_due_logouts(teller(app), now=app.now + 1999) == 0
    app.clients.status = 204
    assert await tell_due_logouts(teller(app), now=app.now + 2000) == 1
    assert await tell_due_logouts(teller(app), now=app.now + 10**8) == 0


async def test_a_client_that_never_answers_is_given_up_with_an_event(app: SimpleNamespace) -> None:
    sid = await log_in_and_out(app)
    app.clients.status = 0
    tried = 0
    while await tell_due_logouts(teller(app), now=app.now):
        tried += 1
        app.pass_time(7 * 3600)
    assert tried == 8
    event = (await app.events())[-1]
    assert (event.event, event.sid, event.details) == ("logout_not_told", sid, {"attempts": 8})


async def test_one_node_tells_at_a_time(app: SimpleNamespace) -> None:
    await log_in_and_out(app)
    app.clients.status = 500
    await tell_due_logouts(teller(app), now=app.now)
    assert await tell_due_logouts(teller(app, "node-2"), now=app.now + 3000) == 0
    assert await tell_due_logouts(teller(app, "node-2"), now=app.now + 40_000) == 1


async def test_who_wants_to_hear_no_more_is_told_nothing(app: SimpleNamespace) -> None:
    await log_in_and_out(app)
    client = await app.store.clients.find("app")
    await app.store.clients.replace(msgspec.structs.replace(client, logout=ClientLogout()), read=client, events=[])
    assert await tell_due_logouts(teller(app), now=app.now) == 1
    assert app.clients.heard == []
    assert await tell_due_logouts(teller(app), now=app.now + 10**8) == 0


async def test_a_sector_hears_its_own_name_of_the_person(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    flow = msgspec.structs.replace(client.code_flow, sector_identifier="app.example")
    await app.store.clients.replace(msgspec.structs.replace(client, code_flow=flow), read=client, events=[])
    await log_in_and_out(app)
    await tell_due_logouts(teller(app), now=app.now)
    token = app.clients.heard[0][1]["logout_token"]
    signed = verify_compact(token, keys=app.opened.house.signer.verification_keys(), algorithms=ALGORITHMS)
    assert msgspec.json.decode(signed.payload)["sub"] != "u1"
