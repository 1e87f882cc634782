from msgspec.structs import replace

from sealring.protocol.access_taken_away import AccessTakenAway, find_access_taken_away
from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.instant import Instant

ISSUER = "https://auth.example"
NOW = Instant(1_700_000_000_000)
BOTH = frozenset({"read", "write"})
ORDERS = Api(identifier="orders", scopes={"read": "", "write": ""}, created_at=0)
APIS = (
    ORDERS,
    replace(ORDERS, identifier="bills", former_lifetime=3600, former_lifetime_until=NOW + 1),
    replace(ORDERS, identifier=ISSUER, access_token_lifetime=60),
)
ROBOT = Client(
    client_id="robot",
    name="Robot",
    type="confidential",
    client_credentials=True,
    allowed={"orders": BOTH, "bills": frozenset({"read"}), ISSUER: frozenset({"sessions"})},
    epoch=1,
    created_at=0,
)


def find(after: Client, before: Client = ROBOT) -> tuple[AccessTakenAway, ...]:
    return find_access_taken_away(before, after, apis=APIS, issuer=ISSUER, now=NOW)


def taken(api: str, *scopes: str, seconds: int) -> AccessTakenAway:
    return AccessTakenAway(api=api, scopes=scopes, accepted_until=Instant(NOW + seconds * 1000))


def test_what_stays_or_comes_is_not_taken_away() -> None:
    assert find(replace(ROBOT, name="Other", idle_lifetime=5, refresh=False)) == ()
    assert find(ROBOT, before=replace(ROBOT, client_credentials=False, allowed={})) == ()


def test_a_scope_and_a_whole_api_are_good_until_the_longest_lived_token_has_expired() -> None:
    assert find(replace(ROBOT, allowed={"orders": frozenset({"read"})})) == (
        taken("orders", "write", seconds=600),
        taken("bills", "read", seconds=3600),
        taken(ISSUER, "sessions", seconds=60),
    )


def test_without_the_grant_its_own_tokens_lose_everything_and_the_issuers_api_never_took_them() -> None:
    assert find(replace(ROBOT, client_credentials=False)) == (
        taken("orders", "read", "write", seconds=600),
        taken("bills", "read", seconds=3600),
    )
