import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import msgspec
import pytest

from sealring.admin.acts import ACTS
from sealring.admin.control_app import build_control_app
from sealring.credentials.password_hash import PasswordHashParameters
from sealring.credentials.password_policy import PasswordPolicy
from sealring.hashing.password_hash import HashingThreads
from sealring.ports import KeyForge, StoreUnavailable
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import HOUSE_SCHEDULES
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.services.desk import Desk
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import KeyTerms
from sealring.signing.keyring import Keyring, make_key_forge, open_keyring
from sealring.signing.master_key import generate_master_key
from sealring.signing.master_key_change import MasterKeyBook
from sealring.signing.master_key_file import MasterKeyFile
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore

PASSPHRASE = "lamp-orbit-cedar-violin"


def make_keyring() -> tuple[Keyring, KeyForge, MasterKeyBook]:
    """Make keys that no store holds, since a desk only checks tokens with them."""
    issuer = "https://auth.example"
    master_key = MasterKeyFile(Path("/nowhere/master.key"), generate_master_key(randomness=os.urandom))
    forge = make_key_forge(master_key=master_key, issuer=issuer, randomness=os.urandom)
    keys = tuple(forge(schedule, "active", Instant(0)) for schedule in HOUSE_SCHEDULES)
    realm = TokenRealm(issuer=issuer, incarnation=bytes(16))
    keyring = open_keyring(keys, master_key=master_key, realm=realm)
    assert isinstance(keyring, Keyring)
    return keyring, forge, MasterKeyBook(master_key, issuer=issuer, randomness=os.urandom)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    database = open_database(None, audit_key=b"k" * 32, writer="node", randomness=os.urandom, demo=False)
    assert isinstance(database, SqliteDatabase)
    store = SqliteStore(database)
    cheap = PasswordHashParameters(memory=8, passes=1, lanes=1)
    hashing = HashingThreads(parameters=cheap, threads=1, queue=4, randomness=os.urandom)
    signer, forge, book = make_keyring()

    def clock() -> Instant:
        return Instant(1_700_000_000_000)

    yield Desk(
        store=store,
        signer=signer,
        hashing=hashing,
        password_policy=PasswordPolicy(),
        clock=clock,
        randomness=os.urandom,
        issuer="https://auth.example",
        audit_key=b"k" * 32,
        keys=KeyDesk(
            store=store, signer=signer, terms=KeyTerms(forge=forge), clock=clock, holder="node", master_key=book
        ),
    )
    hashing.close()
    await store.close()


async def post(
    desk: Desk, path: str, body: object = None, *, headers: Mapping[str, str] = {}, method: str = "POST"
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    transport = httpx.ASGITransport(app=build_control_app(desk))
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        sent = {"content-type": "application/json", "sealring-operator": "root", **headers}
        return await client.request(method, path, content=content, headers=sent)


async def test_an_act_is_done_and_audited_under_its_operator(desk: Desk) -> None:
    answer = await post(desk, "/acts/users.add", {"username": "ada", "password": PASSPHRASE})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["username"] == "ada"
    assert PASSPHRASE not in answer.text
    ((_, recorded),) = await desk.store.audit.list_events(after=0, limit=10)
    assert recorded.event.actor == "cli:root"


async def test_a_new_secret_is_told_once_and_never_again(desk: Desk) -> None:
    added = await post(desk, "/acts/apis.add", {"identifier": "orders", "scopes": {"orders:read": "See"}})
    assert added.json()["api_key"].startswith("sla_")
    shown = await post(desk, "/acts/apis.show", {"identifier": "orders"})
    assert shown.json() == added.json()["api"]
    assert "sla_" not in shown.text


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/acts/users.explode", {}, 404, "unknown_act"),
        ("/acts/", {}, 404, "unknown_act"),
        ("/users.list", {}, 404, "unknown_act"),
        ("/acts/users.show", {"user": "nobody"}, 404, "unknown_user"),
        ("/acts/users.show", {}, 400, "invalid_member"),
        ("/acts/users.show", {"user": 7}, 400, "invalid_member"),
        ("/acts/users.show", {"user": "ada", "extra": 1}, 400, "invalid_member"),
        ("/acts/users.show", [], 400, "malformed_json"),
        ("/acts/users.show", b'{"user": "a", "user": "b"}', 400, "malformed_json"),
        ("/acts/users.show", b"\xff", 400, "malformed_json"),
        ("/acts/users.show", {"user": "nul\x00"}, 400, "malformed_json"),
        ("/acts/users.show", b" " * (16 * 1024 + 1), 413, "body_too_large"),
        ("/acts/users.add", {"username": "ada", "password": "short"}, 400, "password_refused"),
        ("/acts/users.add", {"username": "ada", "password": 123}, 400, "invalid_member"),
        ("/acts/recover", {}, 409, "server_running"),
    ],
)
async def test_a_refusal_has_the_form_of_every_refusal(
    desk: Desk, *, path: str, body: object, status: int, code: str
) -> None:
    answer = await post(desk, path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"error", "error_description", "code"}


async def test_only_posts_of_json_are_acts(desk: Desk) -> None:
    assert (await post(desk, "/acts/status", method="GET")).json()["code"] == "method_not_allowed"
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await post(desk, "/acts/status", headers={"content-type": kind})
        assert answer.json()["code"] == "wrong_content_type"


async def test_an_operator_is_a_plain_name(desk: Desk) -> None:
    for operator in ("", "root user", "root\x1b", "a" * 65):
        answer = await post(desk, "/acts/status", headers={"sealring-operator": operator})
        assert answer.json()["code"] == "invalid_parameter"


async def test_a_store_that_is_gone_is_said_to_be(desk: Desk) -> None:
    class Gone:
        async def list_all(self) -> tuple[()]:
            raise StoreUnavailable

    class GoneStore:
        clients = Gone()

    answer = await post(msgspec.structs.replace(desk, store=GoneStore()), "/acts/clients.list")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


@pytest.mark.parametrize("name", sorted(ACTS))
async def test_every_act_answers_something_to_nothing(desk: Desk, name: str) -> None:
    answer = await post(desk, f"/acts/{name}")
    assert answer.status_code in {200, 400, 404, 409}
    assert answer.json()


async def test_the_reads_of_an_empty_store_are_empty(desk: Desk) -> None:
    assert (await post(desk, "/acts/users.list")).json() == {"users": [], "more": False}
    assert (await post(desk, "/acts/clients.list")).json() == {"clients": []}
    assert (await post(desk, "/acts/sessions.list")).json() == {"sessions": [], "live": 0}
    assert (await post(desk, "/acts/audit.tail")).json() == {"events": [], "last": 0}
