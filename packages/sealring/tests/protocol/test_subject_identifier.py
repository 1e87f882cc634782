import msgspec

from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.subject_identifier import PairwiseKey, subject_identifier

KEY = PairwiseKey(b"k" * 32)
FLOW = CodeFlow(redirect_uris=("https://shop.example/callback",))
SHOP = Client(client_id="shop", name="Shop", type="confidential", allowed={}, code_flow=FLOW, epoch=1, created_at=0)


def pairwise(host: str) -> Client:
    return msgspec.structs.replace(SHOP, code_flow=msgspec.structs.replace(FLOW, sector_identifier=host))


def test_a_public_subject_is_the_person_itself() -> None:
    assert subject_identifier("ada", SHOP, key=KEY) == "ada"
    assert subject_identifier("ada", msgspec.structs.replace(SHOP, code_flow=None), key=KEY) == "ada"


def test_a_sector_knows_a_person_always_by_one_name_and_another_sector_by_another() -> None:
    shop = subject_identifier("ada", pairwise("shop.example"), key=KEY)
    assert shop == subject_identifier("ada", pairwise("shop.example"), key=KEY)
    assert len({shop, "ada", subject_identifier("ada", pairwise("bank.example"), key=KEY)}) == 3
    assert shop != subject_identifier("bob", pairwise("shop.example"), key=KEY)


def test_sector_and_person_do_not_run_into_each_other() -> None:
    assert subject_identifier("ba", pairwise("a"), key=KEY) != subject_identifier("a", pairwise("ab"), key=KEY)


def test_the_key_is_never_shown() -> None:
    assert repr(KEY) == "PairwiseKey(…)"
