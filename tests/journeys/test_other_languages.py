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

from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key
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
    *_, block = BLOCK.findall(section)
    return block


def keys_file(issuer: str) -> str:
    """Give what stands in the file `keys.mjs`, which two of the programs import."""
    first, _ = BLOCK.findall(SECTIONS["Node: jsonwebtoken and jwks-rsa"])
    return told(first, issuer=issuer, audience="")


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

    def outcomes(self, text: str, tokens: list[str], *, name: str, issuer: str = "") -> list[str]:
        """Verify tokens: the subject of each, or `refused`."""
        (self.folder / "keys.mjs").write_text(keys_file(issuer))
        if self.library in PYTHON:
            names: dict[str, Any] = {}
            exec(text, names)  # noqa: S102 -- our own page
            return [self._python_outcome(names["verify"], token) for token in tokens]
        answered = self.node_libraries.outcomes(text, tokens, folder=self.folder, name=name)
        return [each["value"]["sub"] if "value" in each else "refused" for each in answered]

    def _python_outcome(self, verify: Callable[[str], dict[str, Any]], token: str) -> str:
        refusals = (jwt.PyJWTError,) if self.library == "PyJWT" else (JoseError, TypeError, ValueError)
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
        passed, *foreign = await asyncio.to_thread(
            verification.outcomes, text, [token, *others], name=name, issuer=served.installation.issuer
        )
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
            *forged_under_odd_headers(issuer),
        ]
        good = [issuer.token(), issuer.token(aud=["bills", "orders"])]
        verification = Verification(library, node_libraries, tmp_path)
        outcomes = verification.outcomes(text, [*wrong, *good], name="verify", issuer=issuer.url)
        passed = "user-1" if TABLE[library][alg] == "yes" else "refused"
        assert dict(zip(wrong, outcomes, strict=False)) == dict.fromkeys(wrong, "refused")
        assert outcomes[-2:] == [passed, passed]


@pytest.mark.parametrize("library", LIBRARIES)
def test_invented_key_ids_neither_flood_the_issuer_nor_keep_a_good_token_out(
    library: str, node_libraries: "NodeLibraries", tmp_path: Path
) -> None:
    with Issuer("orders") as issuer:
        text = told(program(library), issuer=issuer.url, audience="orders")
        tokens = [*(issuer.unknown_key_token() for _ in range(30)), issuer.token()]
        verification = Verification(library, node_libraries, tmp_path)
        outcomes = verification.outcomes(text, tokens, name="verify", issuer=issuer.url)
        assert outcomes == ["refused"] * 30 + ["user-1"]
        assert issuer.requests.count("/jwks") == 1


@pytest.mark.parametrize("library", ["jsonwebtoken", "fast-jwt"])
def test_keys_that_could_not_be_fetched_are_asked_for_again(
    library: str, node_libraries: "NodeLibraries", tmp_path: Path
) -> None:
    with Issuer("orders") as issuer:
        issuer.drop_next_answer("/jwks")
        text = told(program(library), issuer=issuer.url, audience="orders")
        verification = Verification(library, node_libraries, tmp_path)
        tokens = [issuer.token(), issuer.token()]
        assert verification.outcomes(text, tokens, name="verify", issuer=issuer.url) == ["refused", "user-1"]


def forged_under_odd_headers(issuer: Issuer) -> list[str]:
    """Write what anybody can send, to find what is thrown before the signature is looked at."""
    _, payload, signature = issuer.token().split(".")
    header = {"alg": issuer.key.alg, "kid": issuer.key.kid, "typ": "at+jwt"}
    headers: list[object] = [
        *({**header, "alg": alg} for alg in (None, 7, [], {}, "", "none", "ES512", "nonsense")),
        *({**header, "kid": kid} for kid in (None, 7, [], {}, "", "../jwks", "x" * 5000)),
        *({**header, "typ": typ} for typ in (None, 7, [], {})),
        *({**header, "crit": crit} for crit in (None, 7, "exp", [], [7], {}, ["exp"], ["b64"])),
        {**header, "b64": False, "crit": ["b64"]},
        {**header, "zip": "DEF"},
        {**header, "jwk": generate_private_key("ES256").public_jwk(), "jku": "https://evil.example", "x5c": []},
        {"typ": "at+jwt"},
        [],
        "text",
        7,
        None,
    ]
    encoded = [base64url.encode(json.dumps(each).encode()).decode() for each in headers]
    raw = [b"", b"\xff\xfe", b"{", b"[" * 5000, b'{"alg":"ES256","alg":"none"}']
    encoded += [base64url.encode(each).decode() for each in raw]
    texts = ["", ".", "..", "...", "a.b.c", "a" * 20_000, "é.é.é", " ", f"{payload}.{payload}.{payload}", "\0.\0.\0"]
    return [f"{each}.{payload}.{signature}" for each in encoded] + texts


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
