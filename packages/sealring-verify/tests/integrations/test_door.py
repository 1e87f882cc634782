from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InsufficientScope, InvalidRequest, InvalidToken, StepUp
from sealring_verify import Verifier as Core
from sealring_verify.integrations.door import Arrival, Demand, Door

if TYPE_CHECKING:
    from conftest import LocalIssuer


def _arrival(*authorization: str, in_query: bool = False) -> Arrival:
    return Arrival(authorization=authorization, in_query=in_query, client_address=None)


def test_a_demand_is_read_when_it_is_made(issuer: "LocalIssuer") -> None:
    door = Door(issuer.url, "orders")
    demand = door.demand(["orders:read"], "gold", 300)
    assert demand == Demand(scopes=frozenset({"orders:read"}), step_up=StepUp(acr_values=("gold",), max_age=300))
    assert door.demand([], (), None) == Demand(scopes=frozenset(), step_up=None)
    wrong: list[tuple[list[str], str, int | None]] = [(["a b"], "gold", None), ([], "a b", None), ([], "gold", -1)]
    for scopes, acr, max_age in wrong:
        with pytest.raises(ValueError, match=r"scopes|acr|max_age"):
            door.demand(scopes, acr, max_age)


async def test_a_request_is_judged_alike_by_threads_and_by_loops(issuer: "LocalIssuer") -> None:
    door = Door(issuer.url, "orders")
    demand = door.demand(["orders:read"], (), None)
    good, narrow = f"Bearer {issuer.token()}", f"Bearer {issuer.token(scope='x')}"
    assert door.admit(_arrival(good), demand) == await door.admit_async(_arrival(good), demand)
    for arrival, kind in (
        (_arrival(), InvalidToken),
        (_arrival(good, good), InvalidRequest),
        (_arrival(good, in_query=True), InvalidRequest),
        (_arrival(narrow), InsufficientScope),
    ):
        with pytest.raises(kind):
            door.admit(arrival, demand)
        with pytest.raises(kind):
            await door.admit_async(arrival, demand)


def test_the_environment_configures_a_door(issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALRING_ISSUER", issuer.url)
    monkeypatch.setenv("SEALRING_AUDIENCE", "orders")
    door = Door.from_environment(realm="orders", resource="https://api.example.com")
    assert (door.status().issuer, door.metadata_path()) == (issuer.url, "/.well-known/oauth-protected-resource")
    assert door.bare_challenge() == (
        'Bearer realm="orders", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'
    )


def test_a_door_around_a_verifier_asks_that_one(issuer: "LocalIssuer") -> None:
    core = Core(issuer.url, "orders")
    door = Door.around(core)
    assert door.admit(_arrival(f"Bearer {issuer.token()}"), door.demand([], (), None)).sub == "u1"
    assert door.core is core
    assert core.status().remembered_tokens == 1


@pytest.mark.parametrize("options", [{"resource": "orders"}, {"realm": 'a"b'}, {"leeway": -1}])
def test_a_wrong_configuration_fails_when_the_door_is_made(issuer: "LocalIssuer", options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Door(issuer.url, "orders", **options)


def test_without_a_resource_there_is_no_metadata(issuer: "LocalIssuer") -> None:
    with pytest.raises(ValueError, match="resource"):
        Door(issuer.url, "orders").metadata_path()
    assert Door(issuer.url, "orders").bare_challenge() == "Bearer"


def test_the_metadata_names_all_scopes_that_are_demanded(issuer: "LocalIssuer") -> None:
    door = Door(issuer.url, "orders", resource="https://api.example.com")
    for scopes in (["b"], ["a", "b"], []):
        door.demand(scopes, (), None)
    assert door.metadata()["scopes_supported"] == ["a", "b"]
