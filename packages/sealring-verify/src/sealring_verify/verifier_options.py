"""What a verifier can be told, by its caller or by the environment, and what of it makes no sense."""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypedDict

from sealring_verify.introspection import IntrospectionClient
from sealring_verify.jose.algorithms import ALGORITHMS, OTHER_NAMES
from sealring_verify.jose.jwks import KeySet
from sealring_verify.provider_profile import ProviderProfile
from sealring_verify.revocation_guard import FeedChoice, OnStale
from sealring_verify.static_keys import KeySource, read_static_keys

_MAX_LEEWAY = 300


class ProviderOptions(TypedDict, total=False):
    """What a `Verifier` of another issuer than Sealring can be told as well."""

    jwks: KeySource | None
    leeway: int
    clock: Callable[[], float]
    monotonic: Callable[[], float]


class IntrospectingOptions(ProviderOptions, total=False):
    """As above, where the issuer answers questions about tokens (RFC 7662)."""

    introspect: bool
    opaque: bool
    introspection: IntrospectionClient | None


class VerifierOptions(IntrospectingOptions, total=False):
    """What a `Verifier` takes beside issuer and audience."""

    api_key: str | None
    algorithms: Collection[str] | None
    symmetric_secrets: Collection[str | bytes]
    max_staleness: int
    on_stale: OnStale
    feed: FeedChoice
    reports: bool
    decryption_jwks: KeySource | None
    profile: ProviderProfile | None


def options_from_environment() -> tuple[str, str, VerifierOptions]:
    """Read SEALRING_ISSUER, SEALRING_AUDIENCE, SEALRING_API_KEY, and SEALRING_SYMMETRIC_SECRETS, a list with commas.

    SEALRING_ACCESS_TOKEN_FORMAT may be `jwt` or `opaque`; SEALRING_DECRYPTION_JWKS_FILE names a file with private keys.
    ValueError names the variables that are missing or wrong.
    """
    missing = [name for name in ("SEALRING_ISSUER", "SEALRING_AUDIENCE") if not os.environ.get(name)]
    if missing:
        raise ValueError(f"set {' and '.join(missing)} in the environment")
    secrets = os.environ.get("SEALRING_SYMMETRIC_SECRETS")
    token_format = os.environ.get("SEALRING_ACCESS_TOKEN_FORMAT") or "jwt"
    if token_format not in {"jwt", "opaque"}:
        raise ValueError("SEALRING_ACCESS_TOKEN_FORMAT must be jwt or opaque")
    keys = os.environ.get("SEALRING_DECRYPTION_JWKS_FILE") or None
    options = VerifierOptions(
        api_key=os.environ.get("SEALRING_API_KEY") or None,
        symmetric_secrets=secrets.split(",") if secrets else (),
        opaque=token_format == "opaque",
        decryption_jwks=None if keys is None else _read_keys(keys),
    )
    return os.environ["SEALRING_ISSUER"], os.environ["SEALRING_AUDIENCE"], options


def _read_keys(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as fault:
        raise ValueError(f"SEALRING_DECRYPTION_JWKS_FILE cannot be read: {fault.strerror}") from None


def checked_audience(audience: object) -> str:
    """Return an API's identifier. ValueError for one that is empty or has spaces around it."""
    if not isinstance(audience, str) or not audience or audience != audience.strip():
        raise ValueError("audience must be this API's identifier, as `sealring apis list` shows it")
    return audience


def checked_algorithms(algorithms: Collection[str] | None, profile: ProviderProfile | None) -> frozenset[str]:
    """Return the asymmetric algorithms that are meant: all that the issuer uses where none are named.

    `EdDSA`, the older name of Ed25519 (RFC 9864), counts where it is named. ValueError for others.
    """
    allowed = ALGORITHMS if profile is None else profile.algorithms
    if algorithms is None:
        return allowed
    known = allowed | {name for name, meant in OTHER_NAMES.items() if meant in allowed}
    if isinstance(algorithms, str) or not algorithms or not known.issuperset(algorithms):
        raise ValueError(f"algorithms must be a list of some of: {', '.join(sorted(known))}")
    return frozenset(algorithms)


def check_options(
    *,
    api_key: str | None,
    jwks: object,
    algorithms: object,
    symmetric_secrets: Collection[str | bytes],
    introspect: bool,
    opaque: bool,
    decryption_jwks: object,
    profile: ProviderProfile | None,
    introspection: IntrospectionClient | None,
) -> None:
    """Refuse options that make no sense beside one another. ValueError, in a sentence."""
    if profile is not None and (api_key or symmetric_secrets):
        raise ValueError(
            f"api_key and symmetric_secrets are for Sealring's own tokens, not for those of {profile.name}"
        )
    if introspection is not None and (api_key or not (opaque or introspect)):
        raise ValueError(
            "introspection is for another issuer than Sealring: leave api_key out, and say introspect=True, or "
            "opaque=True for opaque tokens"
        )
    keys_are_told = jwks is not None or algorithms is not None
    if symmetric_secrets and keys_are_told:
        raise ValueError("symmetric_secrets stand alone: leave jwks and algorithms out")
    if (opaque or introspect) and not api_key and introspection is None:
        option = "opaque" if opaque else "introspect"
        raise ValueError(
            f"{option}=True needs api_key, the secret that `sealring apis add` printed, or for another issuer "
            "introspection=IntrospectionClient(…)"
        )
    if opaque and (introspect or keys_are_told or symmetric_secrets or decryption_jwks is not None):
        raise ValueError(
            "opaque=True stands alone: leave jwks, algorithms, symmetric_secrets, decryption_jwks and introspect out, "
            "since the issuer is asked about each token"
        )
    if introspect and jwks is not None and (introspection is None or introspection.endpoint is None):
        raise ValueError(
            "introspect=True needs the issuer's metadata, so leave jwks out, or name the endpoint in introspection"
        )


def checked_leeway(leeway: int) -> int:
    """Return a leeway of 0 to 300 seconds. ValueError for another."""
    if type(leeway) is not int or not 0 <= leeway <= _MAX_LEEWAY:
        raise ValueError(f"leeway must be between 0 and {_MAX_LEEWAY} seconds")
    return leeway


def parsed_jwks(jwks: KeySource | None, algorithms: frozenset[str]) -> KeySet | None:
    """Read a key set that was given in place of fetching one. ValueError where nothing of it can be used."""
    return None if jwks is None else read_static_keys(jwks, algorithms=algorithms)
