import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.discovery import IssuerProblem, authorization_server_metadata, is_loopback, issuer_problem


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example",
        "https://id.example/auth",
        "https://id.example:8443/a/b",
        "https://192.0.2.1",
        "https://[2001:db8::1]",
        "http://localhost:8700",
        "http://127.0.0.1:8700/auth",
        "http://[::1]:8700",
    ],
)
def test_a_good_issuer_has_no_problem(issuer: str) -> None:
    assert issuer_problem(issuer) is None


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("", "must look like"),
        ("id.example", "must look like"),
        ("ftp://id.example", "must look like"),
        ("https://", "must look like"),
        ("https:///auth", "must look like"),
        ("https://id.example?x=1", "must look like"),
        ("https://id.example?", "must look like"),
        ("https://id.example#", "must look like"),
        ("https://ada@id.example", "must look like"),
        ("https://id.example/ auth", "must look like"),
        ("https://id.example\n", "must look like"),
        ("https://id.example\\@evil.example", "must look like"),
        ("https://idé.example", "must look like"),
        # urlsplit raises for these.
        ("https://[::1", "must look like"),
        ("https://[banana]", "must look like"),
        ("https://id.example:banana", "must look like"),
        ("https://id.example:99999", "must look like"),
        ("https://id.example/", "write 'https://id.example'"),
        ("http://id.example", "plain HTTP on a public address"),
        ("http://localhost.example", "plain HTTP on a public address"),
        ("http://10.0.0.1", "plain HTTP on a public address"),
    ],
)
def test_what_is_wrong_with_an_issuer_is_a_sentence(issuer: str, words: str) -> None:
    problem = issuer_problem(issuer)
    assert problem is not None
    assert words in problem.sentence
    assert repr(issuer) in problem.sentence


@given(text=st.text(alphabet=st.characters(), max_size=40), scheme=st.sampled_from(["", "https://", "http://", "//"]))
def test_no_text_raises(text: str, scheme: str) -> None:
    problem = issuer_problem(scheme + text)
    assert problem is None or isinstance(problem, IssuerProblem)


def test_loopback_is_this_machine_by_name_or_number() -> None:
    assert all(is_loopback(f"http://{host}:1/x") for host in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]"))
    assert not any(is_loopback(f"http://{host}") for host in ("localhost.evil.example", "id.example", "0.0.0.0"))  # noqa: S104 -- a name, nobody listens


def test_the_metadata_name_only_what_exists() -> None:
    metadata = authorization_server_metadata("https://id.example/auth", registration=False, frontchannel_logout=False)
    assert metadata["issuer"] == "https://id.example/auth"
    assert metadata["jwks_uri"] == "https://id.example/auth/jwks"
    assert metadata["introspection_endpoint"] == "https://id.example/auth/introspect"
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["acr_values_supported"] == ["1"]
    assert metadata["token_endpoint"] == "https://id.example/auth/token"
    assert metadata["revocation_endpoint"] == "https://id.example/auth/revoke"
    assert metadata["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"]
    for endpoint in ("token", "revocation"):
        methods = metadata[f"{endpoint}_endpoint_auth_methods_supported"]
        assert methods == ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
        algorithms = metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == ["ES256", "Ed25519", "EdDSA", "PS256", "RS256"]
    assert metadata["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic"]


def metadata_of(*, registration: bool = False, frontchannel_logout: bool = False) -> dict[str, object]:
    return authorization_server_metadata(
        "https://id.example", registration=registration, frontchannel_logout=frontchannel_logout
    )


def test_registration_is_named_only_where_it_is_on() -> None:
    assert "registration_endpoint" not in metadata_of()
    assert metadata_of(registration=True)["registration_endpoint"] == "https://id.example/register"


def test_front_channel_log_out_is_named_only_where_it_is_on() -> None:
    names = {"frontchannel_logout_supported", "frontchannel_logout_session_supported"}
    assert not names & metadata_of().keys()
    on = metadata_of(frontchannel_logout=True)
    assert [on[name] for name in sorted(names)] == [True, True]
