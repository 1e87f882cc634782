import pytest

from sealring_verify import GateVerifier, InvalidToken, KeysUnavailable
from sealring_verify.testing import Issuer


def test_a_request_without_an_assertion_did_not_pass_the_gate() -> None:
    verifier = GateVerifier("https://id.example", "app.example")
    with pytest.raises(InvalidToken, match="assertion_missing"):
        verifier.verify(None, method="GET", path="/")


async def test_an_access_token_is_no_assertion() -> None:
    with Issuer("app.example") as issuer:
        verifier = GateVerifier(issuer.url, "app.example", clock=issuer.clock)
        token = issuer.token(sub="u1")
        with pytest.raises(InvalidToken, match="wrong_type"):
            verifier.verify(token, method="GET", path="/")
        with pytest.raises(InvalidToken, match="wrong_type"):
            await verifier.verify_async(token, method="GET", path="/")


async def test_keys_that_cannot_be_had_are_no_fault_of_the_caller() -> None:
    verifier = GateVerifier("https://127.0.0.1:1", "app.example")
    with pytest.raises(KeysUnavailable):
        verifier.verify("a.b.c", method="GET", path="/")
    with pytest.raises(KeysUnavailable):
        await verifier.verify_async("a.b.c", method="GET", path="/")


def test_what_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="issuer"):
        GateVerifier("no address", "app.example")
    with pytest.raises(ValueError, match="leeway"):
        GateVerifier("https://id.example", "app.example", leeway=301)
