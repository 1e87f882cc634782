from types import SimpleNamespace

import pytest


@pytest.mark.parametrize(("name", "media_type"), [("sealring.css", "text/css"), ("admin_enroll.js", "text/javascript")])
async def test_a_file_is_given_with_its_type_and_not_again_where_it_is_known(
    site: SimpleNamespace, name: str, media_type: str
) -> None:
    answer = await site.http.get(f"/static/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    known = await site.http.get(f"/static/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "%2e%2e", "page.html", "sealring.css%00"])
async def test_nothing_else_is_a_file(site: SimpleNamespace, name: str) -> None:
    assert (await site.http.get(f"/static/{name}")).status_code == 404
