from sealring.services.desk import Desk


async def test_a_desk_shows_neither_its_store_nor_its_key(desk: Desk) -> None:
    assert repr(desk) == "Desk(issuer='https://auth.example', …)"
