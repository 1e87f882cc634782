"""The inspector's words and patterns, which its page is given as they are: both read a token by one table.

A pattern is written so that Python's `re` and JavaScript's `RegExp` read it alike.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REMARKS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "not_a_token": ("danger", "This is no compact JWS or JWE whose header can be read, and no token of Sealring."),
        "secret_pasted": ("danger", "This is a secret, not an access token. Whoever saw it can use it: replace it."),
        "too_large": ("danger", "Longer than 16 KiB: Sealring's verifier refuses it, and so do most servers."),
        "large": ("warning", "Longer than 4 KiB: some proxies and servers refuse a request with such a header."),
        "not_canonical": ("danger", "This part is not base64url in its one form: strict verifiers refuse it."),
        "duplicate_member": ("danger", "A member stands twice in this part, and parsers disagree about which counts."),
        "payload_not_claims": ("warning", "The payload is not a JSON object, so it holds no claims."),
        "encrypted": ("note", "Encrypted: only the header can be read without the API's private key."),
        "nested_token": ("note", "There is another token within (`cty` is JWT): its signature is what counts."),
        "alg_none": ("danger", "Not signed (`alg` is none): anybody can have written it."),
        "alg_missing": ("danger", "The header names no algorithm."),
        "weak_algorithm": ("danger", "SHA-1, RSA PKCS #1 v1.5 encryption or a password: too weak to be used any more."),
        "symmetric_algorithm": ("note", "HMAC: whoever can verify this token can make others like it."),
        "ambiguous_algorithm": ("note", "`EdDSA` names no curve; RFC 9864 replaces it by `Ed25519`."),
        "unsupported_algorithm": ("note", "Decoded all the same, but the signature cannot be verified here."),
        "known_secret": ("danger", "Signed with a secret that stands in tutorials: anybody can make such a token."),
        "short_secret": ("danger", "The secret is shorter than 32 octets: it can be guessed from one token."),
        "signature_missing": ("danger", "The signature is empty: anybody can have written this token."),
        "typ_missing": ("warning", "No `typ`: nothing tells this token from another kind that the issuer signs."),
        "typ_generic": ("note", "`typ` is not at+jwt, as RFC 9068 wants it: another kind of token could pass for it."),
        "kid_missing": ("note", "No `kid`: a verifier can only guess which of the issuer's keys is meant."),
        "kid_not_text": ("danger", "`kid` is not a string."),
        "kid_path": ("danger", "`kid` looks like a path: it could make a careless verifier read another file as key."),
        "kid_sql": ("danger", "`kid` looks like SQL: it could make a careless verifier's database choose the key."),
        "kid_command": ("danger", "`kid` looks like a command: a careless verifier could run it."),
        "kid_url": ("danger", "`kid` is an address: it could make a careless verifier fetch its key from anywhere."),
        "key_in_header": ("danger", "The token brings or names its own key: a verifier that trusts it trusts anybody."),
        "critical_header": ("warning", "`crit` demands extensions; verifiers that do not know them must refuse."),
        "compressed": ("danger", "`zip`: small on the wire, huge in memory, and its length tells of its content."),
        "id_token": ("warning", "An ID token is for the client that asked for it: an API must never accept it."),
        "iss_missing": ("danger", "No `iss`: nobody can know whose keys to verify with."),
        "aud_missing": ("danger", "No audience: every API that trusts the issuer will take it, whatever it was for."),
        "aud_wildcard": ("danger", "An audience that means everybody is none."),
        "several_audiences": ("note", "Several audiences: each of these APIs can use the token at the others."),
        "sub_missing": ("warning", "No `sub`: it says of nobody whom it speaks of."),
        "sub_not_text": ("danger", "`sub` is not a string: strict verifiers refuse it, others compare it wrongly."),
        "exp_missing": ("danger", "No `exp`: it never expires."),
        "iat_missing": ("warning", "No `iat`: its age is unknown, so that it cannot be revoked by time."),
        "claim_missing": ("warning", "An access token must have this claim (RFC 9068)."),
        "date_in_milliseconds": ("danger", "Milliseconds, where seconds are meant: it lies thousands of years ahead."),
        "date_not_whole": ("danger", "The date is not a whole number of seconds: strict verifiers refuse it."),
        "expired": ("note", "It has expired."),
        "not_yet_valid": ("note", "It is not valid yet, or was issued in the future: compare the clocks."),
        "expires_before_issued": ("danger", "It expires before it was issued."),
        "lifetime_over_an_hour": ("warning", "It lives longer than an hour: whoever steals it has it so long."),
        "scope_not_text": ("warning", "`scope` is not a string of scopes with spaces between (RFC 9068)."),
        "bound_to_key": ("note", "Bound to a key (`cnf`): as a plain bearer token it must be refused."),
        "personal_data": ("warning", "Personal data, which everybody who sees the token can read."),
        "secret_claim": ("danger", "This claim looks like a secret, and everybody who sees the token can read it."),
        "hidden_text": ("warning", "Control, bidirectional or invisible characters: it is not what it looks like."),
    }
)
"""Code → level and sentence. Levels: danger, warning, note. A code never changes its meaning."""

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access_token": "an access token: for the API that its audience names",
        "id_token": "an ID token: tells the client that asked for it who signed in",
        "logout_token": "a log-out token: tells a client that a session ended",
        "client_assertion": "a client assertion: a client proves to a server who it is",
        "dpop_proof": "a DPoP proof: shows that the sender of one request has a key",
        "security_event": "a security event token",
        "status_list": "a status list token",
        "introspection_answer": "a signed introspection answer",
        "authorization_request": "a signed authorization request",
        "revocation_feed": "a message of Sealring's revocation feed",
        "gate_assertion": "what a gate of Sealring says of one request",
        "signed_token": "a signed token of no kind that it names",
        "encrypted_token": "an encrypted token (JWE)",
        "slr_": "a refresh token of Sealring. It is opaque: only its issuer knows what it is worth",
        "slo_": "an opaque access token of Sealring: an API asks its issuer about it (introspection)",
        "sla_": "the secret of an API of Sealring",
        "slc_": "the secret of a client of Sealring",
        "slg_": "the key of a gate's proxy",
        "slh_": "the symmetric secret (HS256) of an API of Sealring",
        "slk_": "the secret of a one-use link of Sealring",
        "sld_": "the name of a known device of Sealring",
        "slm_": "a step of signing in to Sealring",
        "unreadable": "no token that can be read",
    }
)
"""Kind → what it is. What Sealring makes of random characters is known by its first four."""

EXPOSED: Final = ("slr_", "sla_", "slc_", "slg_", "slh_", "slk_", "slm_")
"""Kinds that are worth something to whoever saw them, and are no access tokens."""

TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "at+jwt": "access_token",
        "logout+jwt": "logout_token",
        "client-authentication+jwt": "client_assertion",
        "dpop+jwt": "dpop_proof",
        "secevent+jwt": "security_event",
        "statuslist+jwt": "status_list",
        "token-introspection+jwt": "introspection_answer",
        "oauth-authz-req+jwt": "authorization_request",
        "sealring-revocations+jwt": "revocation_feed",
        "sealring-gate+jwt": "gate_assertion",
    }
)
"""`typ`, in small letters and without `application/` → kind."""

ID_TOKEN_CLAIMS: Final = ("nonce", "at_hash", "c_hash", "s_hash")
ACCESS_TOKEN_CLAIMS: Final = ("scope", "scp", "client_id", "cid", "permissions")
SIGN_IN_CLAIMS: Final = ("auth_time", "email_verified")

VERIFIABLE: Final = ("ES256", "Ed25519", "EdDSA", "HS256", "PS256", "RS256")
WEAK: Final = ("HS1", "RS1", "RSA1_5", "PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW")
KEY_MEMBERS: Final = ("jku", "jwk", "x5c", "x5u")
DATES: Final = ("iat", "nbf", "exp", "auth_time")
LATEST_DATE: Final = 99_999_999_999
"""The year 5138: a date beyond it counts milliseconds."""
LONGEST_LIFETIME: Final = 3600
LARGE: Final = 4096
LARGEST: Final = 16 * 1024

KID_PATTERNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kid_path": r"(^|[/\\])\.\.([/\\]|$)|\\|^~|^/(dev|etc|home|proc|root|tmp|usr|var)(/|$)|%2e|%2f|\x00",
        "kid_sql": r"['\";]|--( |$)|/\*|\bunion\b.*\bselect\b| or .+=",
        "kid_command": r"[`|&<>\n\r]|\$\(",
        "kid_url": r"^[a-z][a-z0-9+.-]*://",
    }
)
"""Code → pattern, to be looked for without regard to case."""

PERSONAL_CLAIMS: Final = (
    "address", "birthdate", "date_of_birth", "email", "family_name", "first_name", "full_name", "gender", "given_name",
    "last_name", "middle_name", "name", "nickname", "phone", "phone_number", "picture", "preferred_username", "profile",
    "social_security_number", "ssn", "unique_name", "upn", "username", "verified_primary_email",
)  # fmt: skip
PERSONAL_VALUE: Final = r"^[^@ ]+@[^@ ]+\.[^@ ]+$"
NEVER_PERSONAL: Final = ("iss", "aud", "azp", "client_id", "scope")
SECRET_CLAIM: Final = (
    r"passw(or)?d|passphrase|secret|api_?key|private_?key|access_?token|refresh_?token|credit_?card|card_?number|^pwd$"
)
SECRET_VALUE: Final = r"^(sl[rachkm]_[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY)"
HIDDEN: Final = (
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]"
)

HIDDEN_ABOVE: Final = (0xE0000, 0xE0FFF)
"""Tags and selectors, which are invisible too: code points that the pattern cannot name in both languages."""

KNOWN_SECRETS: Final = (
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "123456", "12345678", "1234567890", "AllYourBase", "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long", "admin", "change-me", "changeit",
    "changeme", "default", "dev", "development", "example", "hello", "jwt", "jwt-secret", "jwt_secret", "jwtsecret",
    "key", "keyboard cat", "my-secret", "my-secret-key", "my_secret", "my_secret_key", "mysecret", "mysecretkey",
    "not-a-secret", "null", "password", "private", "qwerty", "s3cr3t", "secret", "secret-key", "secret123",
    "secret_key", "secretkey", "shared-secret", "shhh", "shhhh", "shhhhh", "shhhhhhared-secret", "super-secret",
    "super-secret-jwt-token-with-at-least-32-characters-long", "super_secret", "supersecret", "test", "test-secret",
    "testing", "testsecret", "this-is-a-secret", "thisisasecret", "token", "topsecret", "undefined",
    "your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret", "your-jwt-secret", "your-secret",
    "your-secret-key", "your_jwt_secret", "your_secret_key",
)  # fmt: skip
"""Secrets of tutorials, examples and default settings."""

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "alg": "the signature's algorithm",
        "kid": "which of the issuer's keys",
        "typ": "which kind of token",
        "cty": "what is within",
        "enc": "the algorithm that encrypts the content",
        "iss": "who issued it",
        "sub": "whom it speaks of",
        "aud": "which API, or client, it is meant for",
        "exp": "expires",
        "nbf": "valid from",
        "iat": "issued",
        "jti": "its own id",
        "auth_time": "signed in",
        "client_id": "the client that it was issued to",
        "azp": "the client that it was issued to",
        "scope": "what it allows",
        "scp": "what it allows",
        "roles": "what the API is told about the person",
        "sid": "the session that it belongs to",
        "acr": "how surely the person proved who it is",
        "amr": "by which means the person proved who it is",
        "nonce": "what the client sent, to know its own answer again",
        "at_hash": "ties it to the access token of the same answer",
        "c_hash": "ties it to the code of the same answer",
        "cnf": "the key that its sender must prove to have",
        "act": "who acts for the subject",
        "sub_epoch": "rises when everything of this person ends",
        "client_epoch": "rises when everything of this client ends",
    }
)
"""Member of a header or claim → what it says."""
