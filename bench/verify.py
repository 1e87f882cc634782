"""Verification against the bare check of `cryptography`, PyJWT, joserfc and Node's jose, in one run.

Everybody verifies the same tokens, each once, in turns on core 0, and checks issuer, audience and expiry besides. The
steps alone are what no checker in Python can leave out, without any policy. CPU time counts, but for two threads.
"""

import argparse
import hmac
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import joserfc.jwk
import joserfc.jwt
import jwt
import msgspec
import oauth_endpoints
import trunk
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from trunk import Row, on_core, row
from wanted import Wanted, tell_missed

from sealring_verify import Verifier
from sealring_verify.jose import base64url, jwk, jws
from sealring_verify.symmetric_secret import symmetric_kid, write_symmetric_secret

ISSUER, AUDIENCE = "https://auth.example", "orders"
ROUNDS = 5
TURN = 600  # tokens
HITS = 200_000
STARTS = 7
IMPORT_MILLISECONDS = 60
IMPORTS = (
    "msgspec and cryptography alone take 57 ms here, half of it for typing_extensions where that is installed; 40 "
    "modules of ours take as long again. What reads private and PEM keys, and follows the feed, could wait."
)
CLAIMS = (
    "Beyond the signature a verification takes 5 µs: 1 to read the claims in one go, 1 for base64url, 1 for the digest "
    "under which it is remembered, 2 for a dozen calls between. The steps alone, without any policy, take 3; "
    "a compiled module would move it."
)
LOCK = (
    "The check of a signature lets go of the interpreter's lock, what is Python around it does not; "
    "and both cores must be free."
)
WANTED = [
    Wanted(
        name="import",
        at_most=1,
        time=IMPORTS,
    ),
    *(
        Wanted(name=f"cold verification, {alg}", against="bare check", at_least=part, time=CLAIMS)
        for alg, part in (("ES256", 0.90), ("Ed25519", 0.90), ("RS256", 0.78))
    ),
    *(
        Wanted(name=f"cold verification, {alg}", against=peer, at_least=1, time=CLAIMS)
        for alg in ("ES256", "Ed25519", "RS256", "HS256")
        for peer in ("joserfc", "Node's jose", "PyJWT")
    ),
    Wanted(name="cold verification, HS256", against="PyJWT", at_least=8, time=CLAIMS),
    Wanted(name="verification of tokens seen before", at_least=40, time="A digest, a look-up, a look at the clock."),
    *(Wanted(name=f"two threads, {alg}", at_least=1.6, time=LOCK) for alg in ("ES256", "RS256")),
]
Check = Callable[[str], object]


class Signed:
    """One algorithm's key and tokens, and what checks them. `turns`: of tokens, the first to warm with."""

    def __init__(self, alg: str) -> None:
        self.alg = alg
        secret = os.urandom(32)
        private: Any = (
            jwk.make_secret_key(secret, kid=symmetric_kid(secret)) if alg == "HS256" else jwk.generate_private_key(alg)
        )
        header = jws.encode_header(typ="at+jwt", alg=alg, kid=private.kid)
        payloads = [payload(number) for number in range(TURN * (ROUNDS + 1))]
        tokens = [jws.sign_compact(each, key=private, header=header) for each in payloads]
        # PyJWT knows the key of RFC 9864 under its former name only, so it has the same tokens under that.
        self.pyjwt_alg = "EdDSA" if alg == "Ed25519" else alg
        former = jws.encode_header(typ="at+jwt", alg=self.pyjwt_alg, kid=private.kid)
        signed_so = [jws.sign_compact(each, key=private, header=former) for each in payloads]
        self.for_pyjwt = dict(zip(tokens, signed_so, strict=True))
        self.turns = [tokens[start : start + TURN] for start in range(0, len(tokens), TURN)]
        self.key = private.verifying() if alg == "HS256" else jwk.parse_jwk(private.public_jwk())
        if alg == "HS256":
            self.public_jwk = {"kty": "oct", "k": base64url.encode(secret).decode(), "kid": private.kid, "alg": alg}
            self.verifier = Verifier(ISSUER, AUDIENCE, symmetric_secrets=[write_symmetric_secret(secret)])
        else:
            self.public_jwk = private.public_jwk()
            self.verifier = Verifier(ISSUER, AUDIENCE, jwks={"keys": [self.public_jwk]})
        self.secret = secret

    def checks(self) -> dict[str, Check]:
        """Every checker within this process, ours first."""
        options: Any = {"require": ["exp", "iat", "sub", "jti"]}
        key, algorithms = jwt.PyJWK(self.public_jwk, algorithm=self.pyjwt_alg), [self.pyjwt_alg]
        ours = self.verifier.verify
        their_key = joserfc.jwk.import_key(self.public_jwk)
        expected = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}
        claims = joserfc.jwt.JWTClaimsRegistry(exp={"essential": True}, **expected)

        def by_pyjwt(token: str) -> None:
            token = self.for_pyjwt[token]
            jwt.decode(token, key, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER, options=options)

        def by_joserfc(token: str) -> None:
            claims.validate(joserfc.jwt.decode(token, their_key, algorithms=[self.alg]).claims)

        holds = self.key.verify

        def by_steps(token: str) -> None:
            """Split, decode, check the signature, read the JSON, compare three claims."""
            _, encoded, signature = token.encode().split(b".")
            read = msgspec.json.decode(base64url.decode(encoded))
            signed = token[: -1 - len(signature)].encode()
            if not holds(signed, base64url.decode(signature)) or read["iss"] != ISSUER or read["aud"] != AUDIENCE:
                raise ValueError("refused")
            if read["exp"] < time.time():
                raise ValueError("expired")

        return {
            "ours": ours,
            "PyJWT": by_pyjwt,
            "joserfc": by_joserfc,
            "the steps alone": by_steps,
        }

    def bare(self, tokens: Sequence[str]) -> float:
        """CPU seconds that the check of the signatures alone takes, their parts in the form that it wants."""
        parts = [(trunk.octets_of(token.rpartition(".")[2]), token.rpartition(".")[0].encode()) for token in tokens]
        check = self._bare()
        if self.alg == "ES256":
            parts = [(trunk.signature_of(token), signed) for token, (_, signed) in zip(tokens, parts, strict=True)]
        started = time.process_time()
        for signature, signed in parts:
            check(signature, signed)
        return time.process_time() - started

    def _bare(self) -> Callable[[bytes, bytes], object]:
        if self.alg == "HS256":
            return lambda signature, signed: hmac.compare_digest(hmac.digest(self.secret, signed, sha256), signature)
        public: Any = jwt.PyJWK(self.public_jwk, algorithm=self.pyjwt_alg).key
        if self.alg == "ES256":
            return lambda signature, signed: public.verify(signature, signed, ec.ECDSA(SHA256()))
        if self.alg == "RS256":
            return lambda signature, signed: public.verify(signature, signed, padding.PKCS1v15(), SHA256())
        check: Callable[[bytes, bytes], object] = public.verify
        return check


def payload(number: int) -> bytes:
    """Write the claims of an access token as a session gets it."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "u1",
        "aud": AUDIENCE,
        "exp": now + 600,
        "iat": now,
        "jti": f"jti-{number}",
        "client_id": "shop",
        "scope": "orders:read orders:write",
        "sid": f"sid-{number}",
        "sub_epoch": 1,
        "client_epoch": 1,
        "amr": ["pwd"],
        "auth_time": now,
        "roles": ["clerk"],
    }
    return json.dumps(claims, separators=(",", ":")).encode()


class NodeJose:
    """A process of Node that verifies the tokens of one key."""

    def __init__(self, stack: ExitStack, signed: Signed) -> None:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "tokens.json"
        tokens = [token for turn in signed.turns for token in turn]
        told = {"jwk": signed.public_jwk, "alg": signed.alg, "tokens": tokens, "issuer": ISSUER, "audience": AUDIENCE}
        file.write_text(json.dumps(told))
        with on_core(0):
            self._process = subprocess.Popen(
                [oauth_endpoints.install_peer(), oauth_endpoints.PEER / "verify.mjs", file],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        stack.callback(self._process.wait)
        stack.callback(self._process.terminate)

    def turn(self, number: int) -> float:
        """CPU seconds that the tokens of one turn took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(number * TURN, (number + 1) * TURN, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def seconds(check: Check, tokens: Sequence[str]) -> float:
    """CPU seconds that these tokens take, one after the other."""
    started = time.process_time()
    for token in tokens:
        check(token)
    return time.process_time() - started


def measure_cold(signed: Signed) -> list[Row]:
    """Let everybody verify tokens that they have not seen."""
    taken: dict[str, list[float]] = {}
    with ExitStack() as stack:
        node = NodeJose(stack, signed)
        stack.enter_context(on_core(0))
        checks = list(signed.checks().items())
        for number, tokens in enumerate(signed.turns):
            # Nobody is always the one who finds the caches as somebody else left them.
            checks = checks[1:] + checks[:1]
            turn = {name: seconds(check, tokens) for name, check in checks}
            turn |= {"bare check": signed.bare(tokens), "Node's jose": node.turn(number)}
            for name, spent in turn.items():
                taken.setdefault(name, []).append(spent)
    per_s = {name: TURN / statistics.median(spent[1:]) for name, spent in taken.items()}
    ours = per_s.pop("ours")
    return [
        row(f"cold verification, {signed.alg}", ours, "/s", floor=theirs, floor_name=name)
        for name, theirs in per_s.items()
    ]


def measure_hits(signed: Signed, cold: float) -> Row:
    """Verify a few tokens again and again: time and keys are looked at each time. `cold`: verifications per second."""
    tokens = signed.turns[-1][:64] * (HITS // 64)
    with on_core(0):
        spent = statistics.median(seconds(signed.verifier.verify, tokens) for _ in range(ROUNDS))
    return row("verification of tokens seen before", len(tokens) / spent, "/s", floor=cold, floor_name="cold ES256")


def measure_threads(alg: str) -> Row:
    """Verify in two threads on two cores what one verifies on one."""
    ratios, rates = [], []
    for _ in range(ROUNDS):
        signed = Signed(alg)
        verify = signed.verifier.verify
        first, *others = signed.turns
        seconds(verify, first)
        started = time.perf_counter()
        seconds(verify, [token for turn in others[:2] for token in turn])
        alone = time.perf_counter() - started
        threads = [threading.Thread(target=seconds, args=(verify, turn)) for turn in others[2:4]]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(2 * TURN / (time.perf_counter() - started))
        ratios.append(rates[-1] * alone / 2 / TURN)
    value = statistics.median(rates)
    return row(f"two threads, {alg}", value, "/s", floor=value / statistics.median(ratios), floor_name="one thread")


def measure_import() -> Row:
    """CPU of the import beyond the interpreter's own start."""
    spent = statistics.median(cpu("import sealring_verify") - cpu("pass") for _ in range(STARTS)) * 1000
    return row("import", spent, "ms", floor=IMPORT_MILLISECONDS, floor_name="at most")


def cpu(program: str) -> float:
    """CPU seconds of a Python that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> list[Row]:
    """Take all figures."""
    rows = [measure_import()]
    for alg in ("ES256", "Ed25519", "RS256", "HS256"):
        signed = Signed(alg)
        rows += measure_cold(signed)
        if alg == "ES256":
            rows.append(measure_hits(signed, rows[-1].value))
    return [*rows, measure_threads("ES256"), measure_threads("RS256")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    measured = measure()
    trunk.report(measured, parser.parse_args().json)
    tell_missed(measured, WANTED)


if __name__ == "__main__":
    main()
