from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sealring.compose import DemoTerms, make_master_key, open_house
from sealring.config import Settings
from sealring.credentials.login_name import LoginNameRefused, parse_login_name
from sealring.demo.folder import CLIENT_SECRET_FILE, PASSPHRASE_FILE, make_settings_of_demo
from sealring.demo.residents import settle_residents
from sealring.services.desk import Desk

ISSUER = "http://localhost:9000"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = make_settings_of_demo(tmp_path / "demo", port=9000)
    make_master_key(made)
    return made


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    terms = DemoTerms(routes={}, clock_offset_file=settings.folder / "clock-offset")
    async with open_house(settings, demo=terms) as opened:
        yield opened.desk


async def test_ada_is_marked_as_the_demos_and_signs_in_with_what_is_printed(settings: Settings, desk: Desk) -> None:
    residents = await settle_residents(desk, settings.folder)
    name = parse_login_name("ada")
    assert not isinstance(name, LoginNameRefused)
    ada = await desk.store.users.find_by_login(name.key)
    assert ada is not None
    assert ada.user.demo
    assert not ada.user.administrator
    assert ada.password_hash is not None
    assert len(residents.passphrase.split("-")) >= 5
    assert residents.passphrase not in repr(residents)


async def test_the_page_is_a_public_client_and_the_command_line_a_confidential_one(
    settings: Settings, desk: Desk
) -> None:
    await settle_residents(desk, settings.folder)
    page = await desk.store.clients.find("playground")
    command = await desk.store.clients.find("demo-cli")
    assert page is not None
    assert command is not None
    assert (page.type, page.first_party, page.origins) == ("public", True, {ISSUER})
    assert set(page.allowed) == {"orders", ISSUER}
    assert (command.type, command.first_party, set(command.allowed)) == ("confidential", True, {"orders"})


async def test_a_second_start_changes_nothing(settings: Settings, desk: Desk) -> None:
    first = await settle_residents(desk, settings.folder)
    before = await desk.store.audit.list_events(after=-1, limit=100)
    assert await settle_residents(desk, settings.folder) == first
    assert await desk.store.audit.list_events(after=-1, limit=100) == before


async def test_a_start_that_was_cut_short_is_completed(settings: Settings, desk: Desk) -> None:
    first = await settle_residents(desk, settings.folder)
    for lost in ("orders.key", CLIENT_SECRET_FILE, PASSPHRASE_FILE):
        (settings.folder / lost).unlink()
    second = await settle_residents(desk, settings.folder)
    assert second.api_key != first.api_key
    assert second.passphrase != first.passphrase
    assert (settings.folder / CLIENT_SECRET_FILE).exists()
