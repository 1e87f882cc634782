import base64
import json
from typing import Any

import pytest

from sealring_verify.claims import AccessToken
from sealring_verify.errors import IntrospectionUnavailable, InvalidToken
from sealring_verify.introspection import (
    IntrospectionClient,
    introspection_request,
    parse_foreign_token,
    parse_introspected_token,
    require_active,
)
from sealring_verify.provider_profile import ProviderProfile

ISSUER = "https://id.example.com"
CLIENT = IntrospectionClient(client_id="https://api.example/a b", client_secret="sla_x:/+")
LENIENT = IntrospectionClient(client_id="orders", client_secret="s", requires_token_type=False)
# RFC 7662 §2.2, and no `iss` and `jti`, which it does not demand.
ANSWER: dict[str, Any] = {
    "active": True,
    "scope": "orders:read orders:write",
    "client_id": "web",
    "username": "ada",
    "token_type": "Bearer",
    "exp": 1600,
    "iat": 1000,
    "sub": "u1",
    "aud": "orders",
}


def parsed(client: IntrospectionClient = CLIENT, **changes: object) -> AccessToken | None:
    answer = {name: value for name, value in {**ANSWER, **changes}.items() if value is not ...}
    profile = ProviderProfile(name="x", issuers=frozenset({"id.example.com"}), roles_path=("access", "roles"))
    return parse_foreign_token(200, json.dumps(answer).encode(), issuer=ISSUER, client=client, profile=profile)


def test_the_question_is_a_form_with_a_form_encoded_basic_credential() -> None:
    question = introspection_request("a.b.c", endpoint="https://i.example/introspect", client=CLIENT)
    assert question.body == b"token=a.b.c&token_type_hint=access_token"
    credential = base64.b64decode(question.authorization.removeprefix("Basic "))
    assert credential == b"https%3A%2F%2Fapi.example%2Fa+b:sla_x%3A%2F%2B"
    assert "a.b.c" not in repr(question)
    assert "sla_" not in repr(question) + repr(CLIENT)


def test_a_token_is_active_or_refused() -> None:
    assert require_active(200, b'{"active":true,"sub":"x"}') is True
    with pytest.raises(InvalidToken, match="token_inactive"):
        require_active(200, b'{"active":false}')
    assert parse_introspected_token(200, b'{"active":false}') is parsed(active=False) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"{}"),
        (200, b'{"active":"true"}'),
        (200, b'{"active":1}'),
        (200, b'{"active":false,"active":true}'),
        (200, b"<html>"),
        (201, b'{"active":true}'),
        (302, b""),
        (401, b'{"active":true}'),
        (403, b'{"active":false}'),
        (500, b'{"active":true}'),
    ],
)
def test_any_other_answer_is_none(status: int, body: bytes) -> None:
    with pytest.raises(IntrospectionUnavailable, match="introspection_unavailable"):
        require_active(status, body)
    with pytest.raises(IntrospectionUnavailable, match="introspection_unavailable"):
        parse_foreign_token(status, body, issuer=ISSUER, client=CLIENT, profile=ProviderProfile(name="x"))


def test_another_issuers_answer_is_a_token_of_the_issuer_that_was_asked() -> None:
    token = parsed(access={"roles": ["clerk"]})
    assert token is not None
    assert (token.iss, token.sub, token.client_id, token.jti) == (ISSUER, "u1", "web", "")
    assert (token.scope, token.roles) == ({"orders:read", "orders:write"}, ("clerk",))
    assert {"active", "token_type", "username"}.isdisjoint(token.claims)
    named = parsed(iss="id.example.com", jti="j1")
    assert named is not None
    assert (named.iss, named.jti) == ("id.example.com", "j1")


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"token_type": ...}, "token_type"),  # Okta says so of no refresh and no ID token
        ({"token_type": ..., "typ": "JWT"}, "token_type"),
        ({"token_type": ..., "typ": "Bearer", "token_use": "id"}, "token_use"),
        ({"token_type": "DPoP"}, "token_type"),
        ({"token_type": "Refresh"}, "token_type"),
        ({"token_type": ["Bearer"]}, "token_type"),
        ({"typ": "Refresh"}, "typ"),  # Keycloak
        ({"typ": "ID"}, "typ"),
        ({"token_use": "refresh_token"}, "token_use"),  # Ory
    ],
)
def test_what_the_issuer_calls_another_token_is_no_access_token(changes: dict[str, Any], claim: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        parsed(**changes)
    assert (refused.value.code, refused.value.claim) == ("wrong_type", claim)


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "bearer"},
        {"typ": "Bearer"},
        {"typ": "at+jwt"},
        {"typ": "JWT"},
        {"token_use": "access_token"},
        {"token_type": ..., "typ": "Bearer"},  # Keycloak before it wrote token_type
        {"token_type": ..., "token_use": "access_token"},
    ],
)
def test_the_names_of_access_tokens_are_known(changes: dict[str, Any]) -> None:
    assert parsed(**changes) is not None


def test_an_issuer_that_names_no_type_can_be_taken_at_its_word() -> None:
    assert parsed(LENIENT, token_type=...) is not None
    with pytest.raises(InvalidToken, match="wrong_type"):
        parsed(LENIENT, token_type="refresh_token")


def test_another_issuer_in_the_answer_is_refused() -> None:
    with pytest.raises(InvalidToken, match="wrong_issuer"):
        parsed(iss="https://evil.example")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        *(({name: ...}, f"missing_claim {name}") for name in ("exp", "iat", "sub", "aud", "client_id")),
        ({"aud": []}, "invalid_claim aud"),
        ({"exp": "1600"}, "invalid_claim exp"),
        ({"exp": 1600.5}, "invalid_claim exp"),
        ({"scope": {"a": 1}}, "invalid_claim scope"),
        ({"jti": ""}, "invalid_claim jti"),
    ],
)
def test_an_answer_that_lacks_what_a_token_must_say_is_no_fault_of_the_token(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(IntrospectionUnavailable, match=told):
        parsed(**changes)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"client_id": ""}, "client_id and client_secret"),
        ({"client_secret": ""}, "client_id and client_secret"),
        ({"endpoint": "http://id.example.com/introspect"}, "https URL"),
        ({"endpoint": "/introspect"}, "https URL"),
    ],
)
def test_a_client_that_makes_no_sense_is_refused_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        IntrospectionClient(**{"client_id": "orders", "client_secret": "s", **fields})
