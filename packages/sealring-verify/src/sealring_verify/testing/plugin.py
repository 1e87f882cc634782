"""The fake issuer as pytest fixtures: `pytest_plugins = ["sealring_verify.testing.plugin"]` in the topmost conftest.py.

It is no entry point, since pytest would then import it, and `cryptography` with it, at each start.
"""

from collections.abc import Iterator

import pytest

from sealring_verify.testing.issuer import Issuer


@pytest.fixture
def issuer_audience() -> str:
    """Name the API under test. A project overrides this fixture by its own."""
    return "api"


@pytest.fixture
def issuer(issuer_audience: str) -> Iterator[Issuer]:
    """Give an issuer that answers on loopback for as long as the test runs."""
    with Issuer(issuer_audience) as made:
        yield made


@pytest.fixture
def offline_issuer(issuer_audience: str) -> Issuer:
    """Give an issuer without a socket."""
    return Issuer(issuer_audience, offline=True)
