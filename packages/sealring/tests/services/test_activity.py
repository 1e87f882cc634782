from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sealring.protocol.activity import ACTIVITIES, Activity
from sealring.protocol.audit_event import EVENTS
from sealring.protocol.errors import CODES


class Told(list[Activity]):
    def tell(self, activity: Activity) -> None:
        assert activity.event in ACTIVITIES
        assert activity.code is None or activity.code in CODES
        self.append(activity)

    def take(self) -> list[tuple[str, str, str | None]]:
        taken = [(act.event, act.outcome, act.code) for act in self]
        self.clear()
        return taken


@pytest.fixture
def told(site: SimpleNamespace) -> Told:
    stream = Told()
    site.rehouse(activity=stream)
    return stream


ISSUED = ("access_token_issued", "done", None)


async def test_a_sign_in_and_a_refresh_tell_who_and_for_which_api(site: SimpleNamespace, told: Told) -> None:
    body = (await site.sign_in()).json()
    await site.refresh(body["refresh_token"])
    assert [act.event for act in told] == ["access_token_issued", "refresh_rotated", "access_token_issued"]
    for act in told:
        assert (act.sub, act.client_id, act.sid, act.api) == ("u1", "shop", body["sid"], "orders")
        assert (act.network, act.at) == ("127.0.0.0/24", site.now)


async def test_a_repeat_is_an_audit_event_and_its_access_token_an_act(site: SimpleNamespace, told: Told) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    await site.refresh(token)
    told.clear()
    await site.refresh(token)
    assert told.take() == [ISSUED]
    assert (await site.events())[-1].event == "session_repeated"


async def test_each_refused_refresh_is_told_in_the_clients_words(site: SimpleNamespace, told: Told) -> None:
    token = (await site.sign_in(scope="orders:read")).json()["refresh_token"]
    told.clear()
    answers = [
        await site.refresh("slr_x"),
        await site.refresh(token, scope="orders:write"),
        await site.refresh(token, resource="nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert [act.error_id for act in told][:1] == [answers[0].json()["error_id"]]
    assert told.take() == [("refresh_refused", "refused", answer.json()["code"]) for answer in answers]


async def test_a_refresh_whose_token_could_not_be_made_is_refused_not_rotated(
    site: SimpleNamespace, told: Told
) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    orders = await site.store.apis.find("orders")
    await site.store.apis.replace(msgspec.structs.replace(orders, byte_budget=64), read=orders, events=[])
    told.clear()
    await site.refresh(token)
    assert told[0].sub == "u1"
    assert told.take() == [("refresh_refused", "refused", "access_token_over_budget")]


async def test_an_introspection_tells_what_it_answered_and_why(site: SimpleNamespace, told: Told) -> None:
    body = (await site.sign_in()).json()
    told.clear()
    await site.inspect(body["access_token"])
    await site.inspect("x")
    await site.http.request("DELETE", "/session", json={"refresh_token": body["refresh_token"]})
    await site.inspect(body["access_token"])
    assert [(act.sid, act.api) for act in told] == [(body["sid"], "orders"), (None, "orders"), (body["sid"], "orders")]
    assert told.take() == [
        ("introspection_answered", "active", None),
        ("introspection_answered", "inactive", "token_refused"),
        ("introspection_answered", "inactive", "session_ended"),
    ]


async def test_a_change_of_password_tells_one_access_token(site: SimpleNamespace, told: Told) -> None:
    _, headers = await site.own_token()
    told.clear()
    body = {"current_password": "wrong", "new_password": "lamp-orbit-cedar-violin"}
    for current in ("wrong", "correct horse battery staple"):
        await site.http.put("/password", headers=headers, auth=None, json=body | {"current_password": current})
    assert told.take() == [ISSUED]


async def test_no_act_holds_a_token_or_a_whole_address(site: SimpleNamespace, told: Told) -> None:
    async with site.client("203.0.113.77", auth=("shop", "slc_shop")) as http:
        members: dict[str, Any] = {"username": "ada", "password": "correct horse battery staple"}
        body = (await http.post("/session", json=members | {"scope": "orders:read"})).json()
        await http.post("/session/refresh", json={"refresh_token": body["refresh_token"]})
        await http.post("/introspect", data={"token": body["access_token"]}, auth=("orders", "sla_orders"))
    shown = repr(told)
    assert "203.0.113.0/24" in shown
    assert not any(secret in shown for secret in ("slr_", "eyJ", "sla_", "slc_", "203.0.113.77", "horse"))


def test_no_act_is_called_like_an_event_of_the_audit() -> None:
    assert not set(ACTIVITIES) & set(EVENTS)


async def test_a_token_in_a_clients_own_name_is_told_without_a_session(site: SimpleNamespace, told: Told) -> None:
    await site.token(scope="orders:read")
    (act,) = told
    assert (act.event, act.sub, act.client_id, act.sid, act.api) == (
        "access_token_issued",
        "robot",
        "robot",
        None,
        "orders",
    )
    assert act.network == "127.0.0.0/24"
