import msgspec

from sealring.protocol.user import User
from sealring.protocol.userinfo import STANDARD_CLAIMS, claims_of

CLAIMS = {"name": "Ada", "email_verified": True, "address": {"country": "GB"}, "phone_number": "+44 1", "tenant": "x"}
ADA = User(sub="u1", username="ada", email="ada@example.com", claims=CLAIMS, epoch=1, created_at=5_000)
NOBODY = frozenset[str]()


def test_each_scope_brings_its_claims_as_far_as_the_person_has_them() -> None:
    assert claims_of(ADA, scope=frozenset({"openid", "profile"}), requested=NOBODY) == {
        "name": "Ada",
        "preferred_username": "ada",
        "updated_at": 5,
    }
    assert claims_of(ADA, scope=frozenset({"email", "phone"}), requested=NOBODY) == {
        "email": "ada@example.com",
        "email_verified": True,
        "phone_number": "+44 1",
    }


def test_a_claim_can_be_asked_for_by_name() -> None:
    assert claims_of(ADA, scope=NOBODY, requested=frozenset({"name", "nickname"})) == {"name": "Ada"}


def test_what_is_no_standard_claim_is_told_to_nobody() -> None:
    everything = frozenset({"profile", "email", "address", "phone", "tenant"})
    told = claims_of(ADA, scope=everything, requested=frozenset({"tenant", "sub", "roles"}))
    assert told.keys() <= STANDARD_CLAIMS


def test_an_address_that_nobody_has_checked_is_not_called_verified() -> None:
    fresh = msgspec.structs.replace(ADA, claims={})
    assert claims_of(fresh, scope=frozenset({"email"}), requested=NOBODY)["email_verified"] is False
    nameless = msgspec.structs.replace(fresh, email=None)
    assert claims_of(nameless, scope=frozenset({"email"}), requested=NOBODY) == {}
