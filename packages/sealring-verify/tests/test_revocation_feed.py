import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jwks import KeySet, parse_jwks
from sealring_verify.jose.jws import sign_compact
from sealring_verify.revocation_feed import (
    FEED_MESSAGE_TYPE,
    FeedMessage,
    MessageRefused,
    entry_id,
    parse_feed_message,
    revocation_id,
)

KEY = generate_private_key("ES256", kid="f1")
ED = generate_private_key("Ed25519", kid="f2")
KEYS = parse_jwks(json.dumps({"keys": [KEY.public_jwk(), ED.public_jwk()]}).encode())
ID = base64url.encode(revocation_id("sid", "s1")).decode()
MEMBERS: dict[str, Any] = {
    "iss": "https://id.example.com",
    "aud": "orders",
    "inc": "0" * 32,
    "after": 3,
    "n": 4,
    "previous": "p",
    "digest": "d",
    "time": 1_764_000_000_000,
    "max_access_token_lifetime": 600,
    "entries": [[4, "sid", ID, 1_764_000_000, None]],
}


def _signed(payload: bytes, *, key: PrivateKey = KEY, **header: object) -> bytes:
    members = {"alg": key.alg, "kid": key.kid, "typ": FEED_MESSAGE_TYPE, **header}
    written = json.dumps({name: value for name, value in members.items() if value is not ...}).encode()
    return sign_compact(payload, key=key, header=base64url.encode(written)).encode()


def _message(**changes: object) -> bytes:
    members = {name: value for name, value in {**MEMBERS, **changes}.items() if value is not ...}
    return json.dumps(members).encode()


def _parse(message: bytes, keys: KeySet = KEYS) -> FeedMessage:
    return parse_feed_message(message, keys=keys, issuer="https://id.example.com", audience="orders")


def _refusal(message: bytes) -> str:
    with pytest.raises(MessageRefused) as refused:
        _parse(message)
    return refused.value.code


def test_a_message_is_what_it_says() -> None:
    parsed = _parse(_signed(_message()))
    assert (parsed.after, parsed.n, parsed.ack, parsed.nonce) == (3, 4, False, None)
    assert entry_id(parsed.entries[0]) == revocation_id("sid", "s1")
    snapshot = _parse(_signed(_message(after=..., previous=..., later_member={"x": [1]})))
    assert snapshot.after is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "billing"}, "wrong_audience"),
        ({"aud": ["orders"]}, "token_malformed"),
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"inc": "0" * 31}, "token_malformed"),
        ({"inc": "0" * 32 + "\n"}, "token_malformed"),
        ({"n": 4.0}, "token_malformed"),
        ({"n": True}, "token_malformed"),
        ({"n": -1}, "token_malformed"),
        ({"n": 2}, "invalid_claim"),
        ({"time": "1"}, "token_malformed"),
        ({"previous": ...}, "invalid_claim"),
        ({"after": ...}, "invalid_claim"),
        ({"entries": ...}, "token_malformed"),
        ({"ack": 1}, "token_malformed"),
        ({"entries": [[4, "sid", "short", 1, None]]}, "token_malformed"),
        ({"entries": [[4, "sid", ID, 1, None, 7]]}, "token_malformed"),
        ({"entries": [[4, "sub", ID, 1, None]]}, "token_malformed"),
        ({"entries": [[4, "sid", ID, 1]]}, "token_malformed"),
        ({"entries": [[4, "sid", "é" * 22, 1, None]]}, "token_malformed"),
    ],
)
def test_a_member_of_another_type_or_value_is_refused(changes: dict[str, object], code: str) -> None:
    assert _refusal(_signed(_message(**changes))) == code


def test_only_a_feed_key_by_es256_and_the_feeds_type_will_do() -> None:
    assert _refusal(_signed(_message(), typ="at+jwt")) == "wrong_type"
    assert _refusal(_signed(_message(), typ=...)) == "wrong_type"
    assert _refusal(_signed(_message(), kid=...)) == "unknown_key"
    assert _refusal(_signed(_message(), key=ED)) == "algorithm_not_allowed"
    assert _refusal(_signed(_message(), key=generate_private_key("ES256", kid="f1"))) == "bad_signature"
    assert _refusal(_signed(_message(), key=generate_private_key("ES256", kid="f9"))) == "unknown_key"


def test_a_member_that_stands_twice_is_refused() -> None:
    twice = _message().replace(b'"n": 4', b'"n": 4, "n": 9')
    assert _refusal(_signed(twice)) == "token_malformed"
    assert _refusal(_signed(_message().replace(b'"n": 4', b'"\\u006e": 9, "n": 4'))) == "token_malformed"


def test_a_message_far_beyond_16_kib_is_read() -> None:
    rows = [[4, "jti", base64url.encode(n.to_bytes(16, "big")).decode(), 1, None] for n in range(20_000)]
    assert len(_parse(_signed(_message(entries=rows))).entries) == 20_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.binary() | st.text().map(str.encode) | st.binary().map(_signed))
def test_any_octets_are_refused_and_nothing_else(octets: bytes) -> None:
    with pytest.raises(MessageRefused):
        _parse(octets)


@given(st.sampled_from(sorted(MEMBERS)), JSON)
def test_any_value_of_any_member_is_read_or_refused(name: str, value: object) -> None:
    try:
        _parse(_signed(_message(**{name: value})))
    except MessageRefused as refused:
        assert refused.code  # noqa: PT017 - either way out is right


@pytest.mark.parametrize("payload", [b"[" * 100_000, b'{"x":' * 100_000, b'{"x":' + b"[" * 100_000])
def test_deep_nesting_is_refused(payload: bytes) -> None:
    assert _refusal(_signed(payload)) == "token_malformed"
