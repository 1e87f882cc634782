"""What the code names, the reference names too; links between pages lead somewhere."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

import sealring
import sealring_verify

ROOT = Path(__file__).parent.parent


def pages() -> list[Path]:
    found = ROOT.rglob("*.md")
    return [page for page in found if not {".venv", "node_modules"} & set(page.relative_to(ROOT).parts)]


def reference() -> str:
    text = "\n".join(page.read_text() for page in (ROOT / "docs/reference").rglob("*.md"))
    assert text, "docs/reference has no page"
    return text


def expect_in_reference(names: Iterable[str]) -> None:
    """Fail with the names that stand in no page of docs/reference as `name`, alone between backticks."""
    text = reference()
    missing = [name for name in names if f"`{name}`" not in text]
    assert not missing, "\n" + "\n".join(missing)


def settings(kind: msgspec.inspect.Type, prefix: str = "") -> Iterator[str]:
    """Walk the sections of the settings and yield each key by its dotted path, as `sealring.toml` nests it."""
    match kind:
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                path = f"{prefix}.{field.encode_name}".removeprefix(".")
                yield from list(settings(field.type, path)) or [path]
        case msgspec.inspect.UnionType(types=kinds):
            for each in kinds:
                yield from settings(each, prefix)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            yield from settings(item, prefix)
        case msgspec.inspect.DictType(value_type=value):
            yield from settings(value, prefix)
        case _:
            return


def test_every_setting_is_in_the_reference() -> None:
    from sealring.config import Settings

    names = list(settings(msgspec.inspect.type_info(Settings)))
    assert names
    expect_in_reference(names)


def test_every_error_code_of_the_server_is_in_the_reference() -> None:
    from sealring.protocol.errors import CODES

    expect_in_reference(CODES)


def test_every_error_code_of_the_verifier_is_in_the_reference() -> None:
    from sealring_verify.errors import CODES, UNAVAILABLE_CODES

    expect_in_reference([*CODES, *UNAVAILABLE_CODES])


def test_every_remark_of_the_inspector_is_in_the_reference() -> None:
    from sealring_verify.inspect.vocabulary import REMARKS

    codes = (ROOT / "docs/reference/codes.md").read_text()
    rows = [f"| `{code}` | {level} | {sentence} |" for code, (level, sentence) in REMARKS.items()]
    assert [row for row in rows if row not in codes] == []


def test_every_audit_event_is_in_the_reference() -> None:
    from sealring.protocol.audit_event import EVENTS

    expect_in_reference(EVENTS)


def test_every_ordinary_act_is_in_the_reference() -> None:
    from sealring.protocol.activity import ACTIVITIES
    from sealring.telemetry.activity import DROPPED_EVENT

    expect_in_reference([*ACTIVITIES, DROPPED_EVENT])


def test_the_map_names_every_room() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = [
        place.stem if place.suffix else place.name
        for package in (sealring, sealring_verify)
        for place in Path(package.__path__[0]).iterdir()
        if (place.suffix == ".py" and place.stem != "__init__") or (place / "__init__.py").exists()
    ]
    missing = [room for room in rooms if not re.search(rf"\b{room}\b", contributing)]
    assert not missing, missing


def test_the_map_leads_to_what_it_names() -> None:
    """A place is a file in backticks, and behind it the name to look for there."""
    homes = [
        ROOT,
        *(Path(package.__path__[0]) for package in (sealring, sealring_verify)),
        Path(sealring_verify.__path__[0]).parent,
    ]
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    places = re.findall(r"`([a-z_/]+\.py)`(?: `(\w+)`)?", contributing)
    assert places
    lost = [
        (file, name)
        for file, name in places
        if "device_code" not in file
        and not any((home / file).is_file() and name in (home / file).read_text() for home in homes)
    ]
    assert not lost, lost


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links that stay in the repository; code is no place for links."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not re.match(r"[a-z]+:", target):
            yield target


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    aim = (page.parent / path).resolve() if path else page
    if not aim.exists():
        return False
    return not anchor or anchor in headings(aim)


def test_every_link_between_pages_leads_somewhere() -> None:
    lost = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        for link in links(page)
        if not leads_somewhere(page, link)
    ]
    assert not lost, "\n" + "\n".join(lost)
