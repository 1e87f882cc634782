import json

from sealring.protocol.id_token import LogIn, access_token_hash, id_token_payload

LOG_IN = LogIn(sub="ada", sid="sid-1", auth_time=1_000_999, amr=("pwd",), acr="1", nonce="n-0S6_WzA2Mj")


def claims(log_in: LogIn = LOG_IN, **changes: object) -> dict[str, object]:
    terms: dict[str, object] = {
        "issuer": "https://auth.example",
        "client_id": "shop",
        "alg": "RS256",
        "access_token": "token",
        "claims": {},
        "now": 2_000_500,
    }
    told: dict[str, object] = json.loads(id_token_payload(log_in, **{**terms, **changes}))  # type: ignore[arg-type] -- members by name
    return told


def test_an_id_token_says_who_signed_in_and_how() -> None:
    told = claims()
    assert told.pop("at_hash") == access_token_hash("token", alg="RS256")
    assert told == {
        "iss": "https://auth.example",
        "sub": "ada",
        "aud": "shop",
        "exp": 2600,
        "iat": 2000,
        "auth_time": 1000,
        "amr": ["pwd"],
        "acr": "1",
        "nonce": "n-0S6_WzA2Mj",
        "sid": "sid-1",
    }


def test_what_nobody_said_is_left_out() -> None:
    told = claims(LogIn(sub="ada", sid="sid-1", auth_time=0, amr=("pwd",), acr=None, nonce=None))
    assert told.keys().isdisjoint({"acr", "nonce"})


def test_claims_of_the_person_never_take_the_place_of_the_tokens_own() -> None:
    told = claims(claims={"name": "Ada", "sub": "root", "aud": "bank", "iss": "x"})
    assert (told["name"], told["sub"], told["aud"], told["iss"]) == ("Ada", "ada", "shop", "https://auth.example")


def test_the_hash_of_the_access_token_goes_with_the_algorithm() -> None:
    # OpenID Connect Core §A.3
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    assert access_token_hash(token, alg="RS256") == access_token_hash(token, alg="ES256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert len(access_token_hash(token, alg="Ed25519")) == 43
