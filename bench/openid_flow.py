"""A signed-in browser's whole way, beside npm's oidc-provider on SQLite: authorize, code, token, userinfo.

One flow is three requests. Both servers are as durable (WAL, synchronous=FULL), sign ID tokens by ES256 and check
PKCE; each runs alone on core 0 while the other idles, the load runs on core 1, and the two take turns.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import httpx
import msgspec
import trunk
from load import LoadReport
from oauth_endpoints import member, oidc_provider
from trunk import Installation, Row, load, row

from sealring.compose import open_house
from sealring.protocol.client import Client, CodeFlow

BROWSERS = 32
ROUNDS = 5
REQUESTS_OF_A_FLOW = 3
REDIRECT_URI = "https://shop.example/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Flow:
    """One server with its signed-in browsers, and where each of them is on its way. `paths`: authorize, userinfo."""

    def __init__(self, port: int, cookies: list[str], *, paths: tuple[str, str]) -> None:
        self.port = port
        self.userinfo = paths[1]
        self.browsers = len(cookies)
        asked = {
            "client_id": "shop",
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": "openid",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        target = f"{paths[0]}?{urlencode(asked)}"
        self.begin = [self.head("GET", target, f"Cookie: {cookie}\r\n") for cookie in cookies]
        self.next = list(self.begin)

    def head(self, method: str, target: str, more: str) -> bytes:
        """Write the head of a request."""
        return f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{more}\r\n".encode()

    def go_on(self, number: int, answer: bytes) -> None:
        """Lay out what follows on an answer: it brought a code, tokens or the person."""
        if b'"access_token":"' in answer:
            token = member(answer, b"access_token").decode()
            self.next[number] = self.head("GET", self.userinfo, f"Authorization: Bearer {token}\r\n")
        elif (
            brought := re.search(rb"(?i)\r\nlocation: https://shop\.example/callback\?code=([^&\r]+)", answer)
        ) is not None:
            self.next[number] = self.redeem(brought[1].decode())
        else:
            assert b'"sub":"' in answer, answer
            self.next[number] = self.begin[number]

    def redeem(self, code: str) -> bytes:
        """Write the request that a code is redeemed by."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        body = urlencode({**form, "code_verifier": VERIFIER})
        credentials = b64encode(f"shop:{trunk.SECRET}".encode()).decode()
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        more = f"Authorization: Basic {credentials}\r\n{kind}Content-Length: {len(body)}\r\n"
        return self.head("POST", "/token", more) + body.encode()

    def run(self) -> LoadReport:
        """Let every browser go its way again and again."""
        self.next = list(self.begin)
        return load(
            self.port, connections=self.browsers, next_request=lambda number: self.next[number], on_answer=self.go_on
        )


class Site(Installation):
    """An installation whose `shop` signs people in through the browser, without asking them for consent."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        asyncio.run(self._allow())

    async def _allow(self) -> None:
        flow = CodeFlow(redirect_uris=(REDIRECT_URI,), id_token_signed_response_alg="ES256")
        async with open_house(self.settings) as opened:
            clients = opened.house.store.clients
            shop = await clients.find("shop")
            assert isinstance(shop, Client)
            assert shop.secret_digests == (sha256(trunk.SECRET.encode()).digest(),)
            await clients.replace(msgspec.structs.replace(shop, code_flow=flow), read=shop, events=[])

    def sign_in(self) -> str:
        """Sign ada in in one more browser; its cookies."""
        with httpx.Client(base_url=self.issuer, follow_redirects=True) as browser:
            page = browser.get("/account")
            hidden = re.search(r'name="interaction" value="([^"]*)"', page.text)
            assert hidden is not None, page.text
            form = {"interaction": hidden[1], "username": "ada", "password": trunk.PASSWORD}
            answer = browser.post("/login", data=form, headers={"Origin": self.issuer})
            assert "account-page" in answer.text, answer.text
            return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


@contextmanager
def sealring(folder: Path) -> Iterator[Flow]:
    """Run Sealring with its signed-in browsers."""
    site = Site(folder)
    process = site.start()
    try:
        yield Flow(site.port, [site.sign_in() for _ in range(BROWSERS)], paths=("/authorize", "/userinfo"))
    finally:
        process.terminate()
        process.wait()


def measure() -> list[Row]:
    """Let the two servers take turns; one row for flows, one for the tail of their requests."""
    ours_seen, theirs_seen = [], []
    with tempfile.TemporaryDirectory() as folder, sealring(Path(folder)) as ours, oidc_provider(Path(folder)) as peer:
        theirs = Flow(peer.port, peer.sso_cookies[:BROWSERS], paths=("/auth", "/me"))
        for _ in range(ROUNDS):
            ours_seen.append(ours.run())
            theirs_seen.append(theirs.run())
    value, floor = (
        statistics.median(report.per_second for report in reports) / REQUESTS_OF_A_FLOW
        for reports in (ours_seen, theirs_seen)
    )
    p50, p99 = (statistics.median(getattr(report, name) for report in ours_seen) * 1000 for name in ("p50", "p99"))
    return [
        row("authorize, token, userinfo as one flow", value, "/s", floor=floor, floor_name="oidc-provider"),
        row("a request of that flow: p99", p99, "ms", floor=p50, floor_name="p50"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    trunk.report(measure(), parser.parse_args().json)


if __name__ == "__main__":
    main()
