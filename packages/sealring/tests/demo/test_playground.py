from pathlib import Path

from sealring.demo.playground import playground_routes

DEMO = Path(__file__).parents[2] / "src/sealring/demo"


def test_the_page_and_its_files_are_all_that_the_demo_adds() -> None:
    routes = playground_routes(api_port=8701)
    assert {path: set(methods) for path, methods in routes.items()} == {"/": {"GET"}, "/demo/static/{name}": {"GET"}}


def test_the_page_keeps_tokens_in_no_storage() -> None:
    for script in (DEMO / "static").glob("*.js"):
        text = script.read_text()
        for name in ("localStorage", "sessionStorage", "indexedDB", "document.cookie", "innerHTML", "window."):
            assert name not in text, (script.name, name)


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (DEMO / "templates/playground.html").read_text()
    assert "style=" not in page
    assert "<style" not in page
    assert " on" + "click=" not in page
    assert page.count("<script") == page.count("<script src=")
