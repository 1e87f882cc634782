from types import SimpleNamespace

import httpx


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def log_out(site: SimpleNamespace, token: str, *, client: str = "shop") -> httpx.Response:
    answer = await site.http.request(
        "DELETE", "/session", json={"refresh_token": token}, auth=(client, f"slc_{client}")
    )
    assert isinstance(answer, httpx.Response)
    return answer


async def test_a_log_out_ends_refresh_and_access_tokens_at_once(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    assert (await log_out(site, body["refresh_token"])).status_code == 204
    assert code_of(await site.refresh(body["refresh_token"])) == (400, "refresh_refused")
    assert await site.inspect(body["access_token"]) == {"active": False}


async def test_a_token_of_any_generation_logs_out(site: SimpleNamespace) -> None:
    old = (await site.sign_in()).json()["refresh_token"]
    current = (await site.refresh(old)).json()["refresh_token"]
    site.pass_time(3600)
    assert (await log_out(site, old)).status_code == 204
    assert code_of(await site.refresh(current)) == (400, "refresh_refused")


async def test_logging_out_twice_is_fine_and_one_event(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    assert [(await log_out(site, token)).status_code for _ in range(2)] == [204, 204]
    assert [event.event for event in await site.events()].count("session_ended") == 1


async def test_another_client_cannot_log_out_and_learns_nothing(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    foreign, garbled = (await log_out(site, token, client="other")), (await log_out(site, "slr_x", client="other"))
    assert code_of(foreign) == code_of(garbled) == (400, "refresh_refused")
    assert (await site.refresh(token)).status_code == 200


async def test_people_see_their_own_live_sessions_and_which_one_asks(site: SimpleNamespace) -> None:
    await site.sign_in(username="bob")
    first = (await site.sign_in()).json()["sid"]
    _, headers = await site.own_token()
    listed = (await site.http.get("/sessions", headers=headers, auth=None)).json()["sessions"]
    assert len(listed) == 2
    assert {one["sid"]: one["current"] for one in listed}[first] is False
    assert sum(one["current"] for one in listed) == 1
    assert {one["client_id"] for one in listed} == {"shop"}


async def test_people_end_one_of_their_sessions(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    _, headers = await site.own_token()
    ended = await site.http.delete(f"/sessions/{body['sid']}", headers=headers, auth=None)
    assert ended.status_code == 204
    assert code_of(await site.refresh(body["refresh_token"])) == (400, "refresh_refused")
    again = await site.http.delete(f"/sessions/{body['sid']}", headers=headers, auth=None)
    assert code_of(again) == (404, "session_not_found")


async def test_somebody_elses_session_is_not_found_and_lives(site: SimpleNamespace) -> None:
    bobs = (await site.sign_in(username="bob")).json()
    _, headers = await site.own_token()
    foreign = await site.http.delete(f"/sessions/{bobs['sid']}", headers=headers, auth=None)
    unknown = await site.http.delete("/sessions/unknown", headers=headers, auth=None)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert (await site.refresh(bobs["refresh_token"])).status_code == 200


async def test_logging_out_everywhere_ends_all_of_ones_sessions_and_nobody_elses(site: SimpleNamespace) -> None:
    bobs = (await site.sign_in(username="bob")).json()
    mine = (await site.sign_in()).json()
    own, headers = await site.own_token()
    answer = await site.http.delete("/sessions", headers=headers, auth=None)
    assert (answer.status_code, answer.json()) == (200, {"ended": 2})
    for token in (mine["refresh_token"], own):
        assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    assert (await site.http.get("/sessions", headers=headers, auth=None)).status_code == 401
    assert (await site.refresh(bobs["refresh_token"])).status_code == 200


async def test_a_back_end_with_the_permission_ends_all_that_a_subject_holds(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    refused = await site.http.post("/subjects/u1/revoke")
    assert code_of(refused) == (403, "permission_required")
    assert (await site.refresh(body["refresh_token"])).status_code == 200
    revoked = await site.http.post("/subjects/u1/revoke", auth=("backend", "slc_backend"))
    assert (revoked.status_code, revoked.json()) == (200, {"ended": 1})
    assert await site.inspect(body["access_token"]) == {"active": False}
    assert (await site.sign_in()).status_code == 200


async def test_what_cannot_be_a_subject_is_refused(site: SimpleNamespace) -> None:
    answer = await site.http.post("/subjects/ada@example.com/revoke", auth=("backend", "slc_backend"))
    assert code_of(answer) == (400, "invalid_subject")
    unknown = await site.http.post("/subjects/nobody/revoke", auth=("backend", "slc_backend"))
    assert unknown.json() == {"ended": 0}
