"""The command: what it can be told, and what it does; `python -m sealring_verify.inspect` and `sealring inspect`."""

import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Final, NamedTuple

from sealring_verify.decryption import Decryption
from sealring_verify.errors import InvalidToken, TokenRefused
from sealring_verify.inspect.decoding import LONGEST_TEXT, EncryptedToken, Inspected, SignedToken, read_token
from sealring_verify.inspect.explanation import Policy, explain
from sealring_verify.inspect.inspection import Verdict, as_json, inspect_token
from sealring_verify.inspect.key_sources import FoundKeys, KeyProblem, file_keys, issuer_keys, jwks_keys
from sealring_verify.inspect.page import write_page
from sealring_verify.inspect.terminal import as_text, encode_for_terminal
from sealring_verify.inspect.trial import Trial, allowed_algorithms, verify_token
from sealring_verify.static_keys import key_document
from sealring_verify.symmetric_secret import symmetric_key_set
from sealring_verify.verifier_options import (
    checked_audience,
    checked_leeway,
    options_from_environment,
)

DONE: Final = 0
REFUSED: Final = 1
MISUSED: Final = 2
UNREACHABLE: Final = 3
SUMMARY: Final = "look into a token, offline: what it says, a reviewer's remarks, whether it is good"


class Misused(Exception):  # noqa: N818 - a sentence for whoever called
    """The command cannot be carried out. `exit_status`: 2, or 3 where keys could not be fetched."""

    def __init__(self, sentence: str, *, exit_status: int = MISUSED) -> None:
        super().__init__(sentence)
        self.exit_status = exit_status


class Outcome(NamedTuple):
    """`value` for `--json`, `text` for a terminal; 0: verified or nothing asked, 1: refused or no token."""

    value: object
    text: str
    exit_status: int


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments, but for `--json`."""
    parser.add_argument(
        "token", nargs="?", default="-", metavar="TOKEN", help="a token; - reads it from standard input"
    )
    keys = parser.add_argument_group("verify it")
    keys.add_argument("--issuer", metavar="URL", help="with the keys of this issuer, which it must be from")
    keys.add_argument("--jwks", metavar="FILE|URL", help="with the keys of this JWK set")
    keys.add_argument(
        "--key", metavar="FILE", help="with the public key or certificate (PEM), or the secret, in a file"
    )
    keys.add_argument("--leeway", type=int, default=30, metavar="SECONDS", help="granted to its dates (default 30)")
    policy = parser.add_argument_group("say what an API's verifier would answer")
    policy.add_argument(
        "--explain",
        action="store_true",
        help="by the verifier's own checks; without --issuer and --audience as SEALRING_ISSUER and the other "
        "variables of the verifier say",
    )
    policy.add_argument("--audience", metavar="API", help="the API's identifier")
    policy.add_argument("--scope", default="", metavar="SCOPES", help="the scopes that the operation needs")
    parser.add_argument("--page", action="store_true", help="print the inspector as one HTML file, and do nothing else")


def run_inspect(options: Namespace) -> Outcome:
    """Inspect one token. Raises Misused."""
    if options.page:
        page = write_page().document.decode()
        return Outcome({"page": page}, page.removesuffix("\n"), DONE)
    _check_options(options)
    token = read_token(_text(options.token))
    now = time.time()
    try:
        found, verdict = _judge(token, options, now)
    except KeyProblem as problem:
        raise Misused(str(problem), exit_status=UNREACHABLE if problem.unreachable else MISUSED) from None
    except ValueError as problem:
        raise Misused(str(problem)) from None
    is_short = found is not None and found.secret_is_short
    inspection = inspect_token(token, verdict=verdict, secret_is_short=is_short, now=now)
    refused = inspection.kind == "unreadable" or (verdict is not None and bool(verdict.refusals))
    text = as_text(inspection, colours=_wants_colours())
    return Outcome(as_json(inspection), text, REFUSED if refused else DONE)


def main() -> int:
    """Run the command by itself: `python -m sealring_verify.inspect`."""
    parser = ArgumentParser(prog="python -m sealring_verify.inspect", description=SUMMARY, allow_abbrev=False)
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    try:
        outcome = run_inspect(options)
    except Misused as problem:
        sys.stderr.write(f"inspect: {encode_for_terminal(str(problem))}\n")
        return problem.exit_status
    except KeyboardInterrupt:
        return 130  # as a shell reports SIGINT
    sys.stdout.write((json.dumps(outcome.value) if options.json else outcome.text) + "\n")
    return outcome.exit_status


def _check_options(options: Namespace) -> None:
    if options.jwks and options.key:
        raise Misused("name keys by --jwks or by --key, not by both")
    if not options.explain and (options.audience or options.scope):
        raise Misused("--audience and --scope are for --explain")
    if options.explain and bool(options.issuer) != bool(options.audience):
        raise Misused("--explain needs --issuer and --audience, or neither: then the verifier's variables count")


def _text(given: str) -> str:
    if given != "-":
        return given
    try:
        if sys.stdin.isatty():
            sys.stderr.write("Paste the token, then Enter:\n")
            return sys.stdin.readline()
        return sys.stdin.read(LONGEST_TEXT + 1)
    except UnicodeDecodeError:
        return ""  # whatever it was, it is no token


def _judge(token: Inspected, options: Namespace, now: float) -> tuple[FoundKeys | None, Verdict | None]:
    if options.explain:
        return _explain(token, options, now)
    found = _found_keys(options, options.issuer)
    if found is None:
        return None, None
    trial = Trial(keys=found.keys, issuer=options.issuer, leeway=checked_leeway(options.leeway))
    try:
        jws = verify_token(_signed(token), trial, now=now)
    except TokenRefused as refusal:
        return found, Verdict(refusals=(refusal,))
    return found, Verdict(kid=jws.key.kid, alg=jws.header.alg)


def _signed(token: Inspected) -> SignedToken:
    if not isinstance(token, SignedToken):
        raise InvalidToken("token_encrypted" if isinstance(token, EncryptedToken) else "token_malformed")
    return token


def _explain(token: Inspected, options: Namespace, now: float) -> tuple[FoundKeys | None, Verdict]:
    issuer, audience = options.issuer, options.audience
    symmetric, decryption = None, None
    if not issuer:
        issuer, audience, told = options_from_environment()
        if told.get("opaque"):
            raise Misused("an API of opaque tokens asks its issuer about each: there is nothing to explain offline")
        symmetric = symmetric_key_set(told["symmetric_secrets"]) if told.get("symmetric_secrets") else None
        document = told.get("decryption_jwks")
        decryption = None if document is None else Decryption(key_document(document))
    is_named = bool(options.jwks or options.key)  # what was said here goes before what the environment says
    found = _found_keys(options, issuer) if symmetric is None or is_named else None
    keys = symmetric if found is None else found.keys
    assert keys is not None  # noqa: S101 - an issuer is known, so there are keys or a KeyProblem
    explanation = explain(
        token.text,
        Policy(
            keys=keys,
            algorithms=allowed_algorithms(keys),
            issuer=issuer,
            audience=checked_audience(audience),
            leeway=checked_leeway(options.leeway),
            scopes=options.scope.split(),
            decryption=decryption,
        ),
        now=now,
    )
    return found, Verdict(refusals=explanation.refusals, explains=True, passes_at=explanation.passes_at)


def _found_keys(options: Namespace, issuer: str | None) -> FoundKeys | None:
    if options.jwks:
        return jwks_keys(options.jwks)
    if options.key:
        return file_keys(options.key)
    return issuer_keys(issuer) if issuer else None


def _wants_colours() -> bool:
    # https://no-color.org: set and not empty.
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
