"""What holds of every file: names, sizes, mirrored tests, and who may read the clock, the dice and the environment."""

import ast
import fnmatch
import functools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVER = ROOT / "packages/sealring/src/sealring"
VERIFY = ROOT / "packages/sealring-verify/src/sealring_verify"
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers"}
MODULE_LINES = 400
FUNCTION_LINES = 45
MIRRORED_ROOMS = ("protocol", "credentials", "browser", "services", "storage")
STORED_NOUNS = (
    *(
        "api",
        "audit_event",
        "authorization_code",
        "client",
        "client_assertion",
        "consent",
        "initial_access_token",
        "key",
        "lease",
        "logout_notice",
        "revocation",
    ),
    *("session", "sso_session", "store", "store_state", "user"),
)
UNMIRRORED: dict[str, str] = {
    "sealring/storage/sql/": "the conformance suite of tests/storage runs each statement through a store",
    "sealring/storage/migrations/": "every store of the tests is made by them, from an empty file upwards",
    **{
        f"sealring/storage/sqlite/{noun}.py": "the conformance suite of tests/storage asks it by its port"
        for noun in STORED_NOUNS
    },
    "sealring/storage/rows/": "the conformance suite writes and reads each of them",
    "sealring/storage/journal.py": "the conformance suite asks for the events and ends that acts left in it",
    **{
        f"sealring/storage/postgresql/{noun}.py": "the conformance suite of tests/storage asks it by its port"
        for noun in STORED_NOUNS
    },
    "sealring/storage/postgresql/audit_writer.py": "the conformance suite and two nodes at once record by it",
    "sealring/storage/postgresql/revocation_writer.py": "as above, for what they end",
    "sealring/storage/sqlite/revocation_writer.py": "every end that the conformance suite makes is written by it",
}
LARGE_DATA: dict[str, str] = {}
ENVIRONMENT_READERS = (
    "sealring/config",
    "sealring/cli/",
    "sealring/demo/",
    "sealring_verify/verifier_options.py",
    "sealring_verify/service_token.py",
    "sealring_verify/site/settings.py",
    "sealring_verify/inspect/command.py",  # NO_COLOR and TERM
)
CLOCKS_AND_DICE = {"os.urandom", "datetime.now", "datetime.utcnow", "date.today", "uuid.uuid1", "uuid.uuid4"}
LOCKED_HOSTS = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}
VERIFY_NEEDS = {"cryptography", "msgspec", "httpx"}


@functools.cache
def ignored_patterns() -> tuple[str, ...]:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return (".git", *(line for line in lines if line and not line.startswith("#")))


def is_ignored(path: Path) -> bool:
    place = "/" + path.relative_to(ROOT).as_posix()
    return any(
        fnmatch.fnmatch(place, pattern.rstrip("/"))
        if pattern[0] == "/"
        else fnmatch.fnmatch(path.name, pattern.strip("/"))
        for pattern in ignored_patterns()
    )


def walk(folder: Path) -> Iterator[Path]:
    """Name the files that git keeps or would keep; git itself may be missing where the tests run."""
    for path in sorted(folder.iterdir()):
        if is_ignored(path):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)
        elif path.is_file():
            yield path


@functools.cache
def files() -> tuple[Path, ...]:
    return tuple(walk(ROOT))


def modules() -> list[Path]:
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "packages") and "src" in path.parts
    ]


@functools.cache
def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(), str(module))


def place(path: Path) -> str:
    """Name a module by its import path's folders (`sealring/protocol/pkce.py`), any other file from the root."""
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[3:] if "src" in parts else parts)


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def dotted_names(module: Path) -> Iterator[tuple[int, str]]:
    """Yield each `a.b` that is read, with its line; of a longer chain only the last two names."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            yield node.lineno, f"{name}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imported_packages(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def has_public_behaviour(module: Path) -> bool:
    """Say whether a public function or method is here; a class of fields alone leaves nothing to test."""
    public = [node for node in tree(module).body if not getattr(node, "name", "_").startswith("_")]
    return any(
        not isinstance(node, ast.ClassDef)
        or any(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) for part in node.body)
        for node in public
    )


def expect_none(rows: Iterable[str]) -> None:
    found = list(rows)
    assert not found, "\n" + "\n".join(found)


def test_no_file_is_named_like_a_drawer() -> None:
    expect_none(place(path) for path in files() if path.stem.removeprefix("test_") in DRAWERS)
    expect_none(place(path) for path in files() if DRAWERS & set(path.relative_to(ROOT).parts))


def test_every_module_says_what_it_is_for() -> None:
    expect_none(place(module) for module in modules() if not ast.get_docstring(tree(module)))


def test_modules_and_functions_stay_small() -> None:
    crowded = [
        f"{place(module)}: {count} lines"
        for module in modules()
        if (count := len(module.read_text().splitlines())) > MODULE_LINES
    ]
    crowded += [
        f"{place(module)}:{function.lineno} {function.name}: {count} lines"
        for module in modules()
        for function in functions(module)
        if (count := body_lines(function)) > FUNCTION_LINES
    ]
    expect_none(crowded)


def must_be_mirrored(module: Path) -> bool:
    if any(place(module).startswith(prefix) for prefix in UNMIRRORED) or not has_public_behaviour(module):
        return False
    return module.is_relative_to(VERIFY) or module.relative_to(SERVER).parts[0] in MIRRORED_ROOMS


def mirror(module: Path) -> Path:
    source = VERIFY if module.is_relative_to(VERIFY) else SERVER
    return source.parent.parent / "tests" / module.relative_to(source).parent / f"test_{module.stem.strip('_')}.py"


def test_every_module_of_the_law_and_the_acts_has_its_mirrored_test() -> None:
    missing = [
        place(mirror(module)) for module in modules() if must_be_mirrored(module) and not mirror(module).exists()
    ]
    expect_none(missing)


def test_every_exception_to_mirroring_still_exists() -> None:
    sources = (SERVER.parent, VERIFY.parent)
    expect_none(prefix for prefix in UNMIRRORED if not any((source / prefix).exists() for source in sources))


def test_no_file_names_the_machine_it_was_written_on() -> None:
    home = re.compile(rb"(?<![\w.~$})-])/(?:work|root|home|Users)/\w")
    expect_none(place(path) for path in files() if home.search(path.read_bytes()))


def test_locks_name_public_registries_only() -> None:
    locks = [path for path in files() if path.name in {"uv.lock", "package-lock.json"}]
    address = re.compile(r"""(?:url = |registry = |"resolved": )"(?:git\+)?\w+://([^/"]+)""")
    assert {host for lock in locks for host in address.findall(lock.read_text())} <= LOCKED_HOSTS
    assert ROOT / "uv.lock" in locks


def test_no_file_is_large_but_the_listed_data() -> None:
    large = {place(path) for path in files() if path.stat().st_size > 1 << 20}
    assert large == set(LARGE_DATA)


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        f"{place(module)}:{line}"
        for module in modules()
        if not place(module).startswith(ENVIRONMENT_READERS)
        for line, name in dotted_names(module)
        if name in {"os.environ", "os.getenv", "os.environb"}
    ]
    expect_none(readers)


def test_the_law_and_the_acts_read_neither_clock_nor_dice() -> None:
    rooms = [module for module in modules() if place(module).startswith(("sealring/protocol/", "sealring/services/"))]
    found = [
        f"{place(module)}: {name}"
        for module in rooms
        for name in imported_packages(module) & {"time", "random", "secrets"}
    ]
    found += [
        f"{place(module)}:{line} {name}"
        for module in rooms
        for line, name in dotted_names(module)
        if name in CLOCKS_AND_DICE
    ]
    expect_none(found)


def is_constant_text(node: ast.expr) -> bool:
    """Recognise a literal, a CONSTANT, and sums of these."""
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return is_constant_text(left) and is_constant_text(right)
        case ast.Name(id=name):
            return name.isupper()
        case _:
            return isinstance(node, ast.Constant)


def composes_text(node: ast.expr) -> bool:
    """Recognise an f-string, `"…".format(…)`, `"…" % …`, and a sum in which not every part is a constant."""
    match node:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) for value in values)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return True
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
            return True
        case ast.BinOp(op=ast.Add()):
            return not is_constant_text(node)
        case _:
            return False


def test_no_statement_is_composed_of_values() -> None:
    keyword = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WHERE|VALUES)\b")
    composed = [
        f"{place(module)}:{node.lineno}"
        for module in modules()
        if place(module).startswith("sealring/storage/")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.expr) and composes_text(node) and keyword.search(ast.unparse(node))
    ]
    expect_none(composed)


def test_an_api_installs_nothing_heavier_than_the_verifier_needs() -> None:
    known = sys.stdlib_module_names | VERIFY_NEEDS | {"sealring_verify"}
    core = [module for module in modules() if module.is_relative_to(VERIFY) and "integrations" not in module.parts]
    extras = {
        "sealring_verify/jose/jwe.py": {"joserfc"},  # imported where an API has keys to decrypt with
        "sealring_verify/testing/plugin.py": {"pytest"},  # imported by pytest alone
    }
    assert {place(module): extra for module in core if (extra := imported_packages(module) - known)} == extras


def test_every_silenced_rule_has_a_reason_beside_it() -> None:
    bare = re.compile(r"#\s*(noqa|noqa:[ A-Z0-9,]+|type:\s*ignore(\[[\w, -]+\])?)\s*$")
    silent = [
        f"{place(path)}:{number}"
        for path in files()
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if bare.search(line)
    ]
    expect_none(silent)


def test_the_command_line_loads_no_demo_code() -> None:
    program = "import sys, sealring.cli; print([name for name in sys.modules if name.startswith('sealring.demo')])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
