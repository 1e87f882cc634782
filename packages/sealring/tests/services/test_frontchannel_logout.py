from types import SimpleNamespace

import msgspec

from sealring.ports import EndedSession
from sealring.protocol.client import ClientLogout
from sealring.services.frontchannel_logout import find_client_frames

PAGE = "https://app.example/front"


async def frames(site: SimpleNamespace, *ended: tuple[str, str]) -> list[str]:
    sessions = [EndedSession(sid=sid, client_id=client_id) for sid, client_id in ended]
    found = await find_client_frames(sessions, store=site.store, issuer="https://id.example")
    return [frame.address for frame in found]


async def test_each_session_of_a_client_with_a_page_has_a_frame_and_of_no_other(site: SimpleNamespace) -> None:
    await site.add_app()
    client = await site.store.clients.find("app")
    logout = ClientLogout(frontchannel_logout_uri=PAGE)
    await site.store.clients.replace(msgspec.structs.replace(client, logout=logout), read=client, events=[])
    found = await frames(site, ("s1", "app"), ("s2", "shop"), ("s3", "nobody"), ("s4", "app"))
    assert found == [f"{PAGE}?iss=https%3A%2F%2Fid.example&sid={sid}" for sid in ("s1", "s4")]
    many = await frames(site, *((f"s{number}", "app") for number in range(100)))
    assert len(many) == 32
