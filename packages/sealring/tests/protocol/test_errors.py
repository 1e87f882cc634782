import ast
import inspect
import re
from pathlib import Path

import pytest

from sealring import protocol
from sealring.protocol import errors
from sealring.protocol.errors import CODES, OAuthError, refuse

# The modules whose input comes from strangers. What they say must not depend on what they read.
STRANGERS = (
    "access_token", "client_authentication", "client_credentials", "form", "scope", "session", "token_request"
)  # fmt: skip
RFC_WORDS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "unsupported_response_type",
    "access_denied",
    # OpenID Connect Core §3.1.2.6
    "login_required",
    "consent_required",
    "request_not_supported",
    "request_uri_not_supported",
    "invalid_request_uri",
    "invalid_request_object",
    "registration_not_supported",
    "invalid_target",
    "invalid_token",
    "insufficient_scope",
    "temporarily_unavailable",
    "server_error",
    "mfa_required",
    # RFC 7591 §3.2.2
    "invalid_client_metadata",
    "invalid_redirect_uri",
}


def test_no_code_is_written_twice() -> None:
    tree = ast.parse(inspect.getsource(errors))
    (table,) = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    names = [ast.literal_eval(key) for key in table.keys if key is not None]
    assert len(names) == len(set(names)) == len(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_word_of_the_rfc_a_status_and_a_sentence(code: str) -> None:
    error = refuse(code)
    assert re.fullmatch(r"[a-z_]+", code)
    assert error.code == code
    assert error.error in RFC_WORDS
    assert 400 <= error.status <= 599
    # RFC 6749 §5.2: what error_description may hold.
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{10,}\.", error.description)
    assert error.error_id is None
    assert error.retry_after is None


def test_only_what_may_be_tried_again_is_unavailable() -> None:
    for code in CODES:
        error = refuse(code)
        assert (error.error == "temporarily_unavailable") == (error.status in {429, 503}), code
        assert (error.error == "server_error") == (error.status == 500), code


def test_a_refusal_carries_what_it_is_given() -> None:
    error = refuse("refresh_refused", error_id="e-1", retry_after=7, description="Other words.")
    assert error == OAuthError(
        error="invalid_grant",
        code="refresh_refused",
        description="Other words.",
        status=400,
        error_id="e-1",
        retry_after=7,
    )


def test_an_unknown_code_is_our_bug() -> None:
    with pytest.raises(KeyError):
        refuse("no_such_code")


@pytest.mark.parametrize("module", STRANGERS)
def test_no_description_is_composed_of_what_a_stranger_sent(module: str) -> None:
    source = Path(protocol.__path__[0], f"{module}.py").read_text()
    composed = [
        ast.unparse(keyword.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "description" and not isinstance(keyword.value, ast.Constant)
    ]
    assert composed == []
