"""docs/how-to/other-languages.md: its programs take the real server's tokens, and refuse every bad one."""

import asyncio
import itertools
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jwt
import pytest
from joserfc.errors import JoseError

from sealring_verify.testing import Issuer

if TYPE_CHECKING:
    from conftest import Installation, NodeLibraries

PAGE: Final = (Path(__file__).parents[2] / "docs/how-to/other-languages.md").read_text()
PASSWORD: Final = "a passphrase of the tests"
ALGORITHMS: Final = ("ES256", "RS256", "PS256", "Ed25519", "HS256")
ASYMMETRIC: Final = ALGORITHMS[:4]
LIBRARIES: Final = ("PyJWT", "joserfc", "jose", "jsonwebtoken", "fast-jwt")
PYTHON: Final = ("PyJWT", "joserfc")
SECTIONS: Final = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK: Final = re.compile(r"```(?:python|js)\n(.*?)```", re.DOTALL)
TABLE: Final = {
    name: dict(zip(ALGORITHMS, re.findall(r"\b(yes|no)\b", row), strict=True))
    for name, row in re.findall(r"^\| ([\w-]+) [\d.]+(?: \(Node\))? \|(.*)\|$", PAGE, re.MULTILINE)
}


def program(library: str) -> str:
    """Give the one program of a library."""
    (section,) = (text for title, text in SECTIONS.items() if re.search(rf": {library}\b", title))
    (block,) = BLOCK.findall(section)
    return block


def symmetric_lines(library: str) -> str:
    section = SECTIONS["A shared secret (HS256)"]
    (block,) = BLOCK.findall(section[re.search(rf"^With .*\b{library}\b", section, re.MULTILINE).start() :])[:1]  # type: ignore[union-attr] -- the page has them
    return block


def told(text: str, *, issuer: str, audience: str, alg: str = "ES256") -> str:
    return (
        text.replace("https://id.example.com", issuer)
        .replace('"orders"', f'"{audience}"')
        .replace('"ES256"', f'"{alg}"')
    )


class Verification(NamedTuple):
    """One library at work."""

    library: str
    node_libraries: "NodeLibraries"
    folder: Path

    def outcomes(self, text: str, tokens: list[str], *, name: str) -> list[str]:
        """Verify tokens: the subject of each, or `refused`."""
        if self.library in PYTHON:
            names: dict[str, Any] = {}
            exec(text, names)  # noqa: S102 -- our own page
            return [self._python_outcome(names["verify"], token) for token in tokens]
        answered = self.node_libraries.outcomes(text, tokens, folder=self.folder, name=name)
        return [each["value"]["sub"] if "value" in each else "refused" for each in answered]

    def _python_outcome(self, verify: Callable[[str], dict[str, Any]], token: str) -> str:
        refusals = (jwt.PyJWTError,) if self.library == "PyJWT" else (JoseError, ValueError)
        try:
            return str(verify(token)["sub"])
        except refusals:
            return "refused"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_table_names_the_version_that_runs_here(library: str) -> None:
    row = re.search(rf"^\| {library} ([\d.]+)", PAGE, re.MULTILINE)
    assert row is not None
    if library in PYTHON:
        assert version(library).startswith(f"{row[1]}.")
    else:
        package = Path(__file__).parents[1] / "node_libraries/package.json"
        assert json.loads(package.read_text())["dependencies"][library].startswith(f"{row[1]}.")


class Served(NamedTuple):
    """The real server, with an API of each algorithm and a token for it."""

    installation: "Installation"
    tokens: dict[str, str]
    symmetric_secret: str
    api_keys: dict[str, str]


@pytest.fixture
async def served(installation: "Installation") -> Served:
    await installation.furnish()
    await installation.start()
    made: dict[str, Any] = {}
    for alg in ALGORITHMS:
        signed = ("--symmetric",) if alg == "HS256" else ("--alg", alg)
        ran = await installation.run("apis", "add", alg.lower(), "--scope", f"{alg}:read", "Read", *signed, "--json")
        assert ran.status == 0, ran.err
        made[alg] = ran.value()
    allowed = [part for alg in ALGORITHMS for part in ("--allow", alg.lower(), f"{alg}:read")]
    ran = await installation.run("clients", "update", "shop", *allowed)
    assert ran.status == 0, ran.err
    tokens = {}
    for alg in ALGORITHMS:
        asked = {"scope": f"{alg}:read", "resource": alg.lower()}
        answer = await installation.post("/session", {"username": "user-0", "password": PASSWORD, **asked})
        tokens[alg] = answer.json()["access_token"]
    secret = made["HS256"]["symmetric"]["symmetric_secret"]
    return Served(installation, tokens, secret, {alg: made[alg]["api_key"] for alg in ALGORITHMS})


async def test_each_program_takes_the_tokens_of_the_algorithms_that_the_table_names(
    served: Served, node_libraries: "NodeLibraries", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALRING_SYMMETRIC_SECRETS", served.symmetric_secret)
    known: dict[str, dict[str, str]] = {library: {} for library in LIBRARIES}
    for library, (alg, token) in itertools.product(LIBRARIES, served.tokens.items()):
        text, name = program(library), "verify"
        if alg == "HS256":
            text, name = text + symmetric_lines(library), "verifySymmetric"
        text = told(text, issuer=served.installation.issuer, audience=alg.lower(), alg=alg)
        others = [other for algorithm, other in served.tokens.items() if algorithm != alg]
        verification = Verification(library, node_libraries, tmp_path)
        passed, *foreign = await asyncio.to_thread(verification.outcomes, text, [token, *others], name=name)
        assert foreign == ["refused"] * 4
        known[library][alg] = {"sub-0": "yes", "refused": "no"}[passed]
    assert known == TABLE


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_program_refuses_every_bad_token(
    library: str, alg: str, node_libraries: "NodeLibraries", tmp_path: Path
) -> None:
    with Issuer("orders", alg=alg) as issuer:
        text = told(program(library), issuer=issuer.url, audience="orders", alg=alg)
        bad = issuer.bad_tokens()
        wrong = [
            *(each.token for each in bad),
            issuer.sign(issuer.claims(), typ="JWT"),
            *(issuer.token(**{claim: None}) for claim in ("exp", "iss", "aud", "sub", "client_id", "jti")),
            issuer.token()[:-4],
            "",
            "a.b.c",
        ]
        good = [issuer.token(), issuer.token(aud=["bills", "orders"])]
        verification = Verification(library, node_libraries, tmp_path)
        outcomes = verification.outcomes(text, [*wrong, *good], name="verify")
        passed = "user-1" if TABLE[library][alg] == "yes" else "refused"
        assert dict(zip(wrong, outcomes, strict=False)) == dict.fromkeys(wrong, "refused")
        assert outcomes[-2:] == [passed, passed]


async def test_an_ended_session_passes_until_introspection_is_asked(
    served: Served, node_libraries: "NodeLibraries", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALRING_API_KEY", served.api_keys["ES256"])
    issuer, token = served.installation.issuer, served.tokens["ES256"]
    in_python, in_node = (
        told(block, issuer=issuer, audience="es256").replace("`orders:", "`es256:")
        for block in BLOCK.findall(SECTIONS["What you lose without the feed"])
    )
    names: dict[str, Any] = {}
    exec(in_python, names)  # noqa: S102 -- our own page

    async def active() -> list[bool]:
        told = await asyncio.to_thread(node_libraries.outcomes, in_node, [token], folder=tmp_path, name="isActive")
        return [await asyncio.to_thread(names["is_active"], token), told[0]["value"]]

    with names["issuer"]:
        assert await active() == [True, True]
        ran = await served.installation.run("sessions", "end", "--user", "user-0")
        assert ran.status == 0, ran.err
        assert await active() == [False, False]
    text = told(program("PyJWT"), issuer=issuer, audience="es256")
    verification = Verification("PyJWT", node_libraries, tmp_path)
    assert await asyncio.to_thread(verification.outcomes, text, [token], name="verify") == ["sub-0"]
