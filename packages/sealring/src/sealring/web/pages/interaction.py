"""Requests that wait while a person does something: begun, taken back and carried on by our pages."""

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.interaction import (
    Interaction,
    account_digest,
    browser_digest,
    read_interaction,
    write_interaction,
)
from sealring.protocol.secret import make_secret
from sealring.protocol.sso_session import SsoSession
from sealring.services.house import House
from sealring.web.exchange import Headers
from sealring.web.pages.browser import Browser


def begin_interaction(query: str, browser: Browser, house: House) -> tuple[str, Headers]:
    """Write an interaction for this browser, and the header that gives it a cookie to be bound to where it has none."""
    cookie = browser.interaction or make_secret(randomness=house.randomness).reveal()
    kept = () if browser.interaction is not None else browser.keep("interaction", cookie)
    return carry(Interaction(query=query, began_at=house.clock(), browser=browser_digest(cookie)), house), kept


def carry(interaction: Interaction, house: House) -> str:
    """Write an interaction that goes on, for an address or a form."""
    return write_interaction(interaction, key=house.signer.interaction_keys()[0])


def take_interaction(text: str | None, browser: Browser, house: House) -> Interaction | OAuthError:
    """Take back what we wrote for this browser; anything else has expired."""
    keys = house.signer.interaction_keys()
    interaction = read_interaction(text, cookie=browser.interaction, keys=keys, now=house.clock())
    return refuse("interaction_expired") if interaction is None else interaction


def has_chosen(interaction: Interaction, session: SsoSession | None) -> bool:
    """Say whether the person chose to go on as whoever is signed in."""
    return session is not None and interaction.account == account_digest(session.id)


def find_interaction(query: bytes, browser: Browser, house: House) -> Interaction | OAuthError | None:
    """Return the interaction that an address carries; None where it carries something else."""
    if not query.startswith(b"interaction="):
        return None
    return take_interaction(query.removeprefix(b"interaction=").decode("latin-1"), browser, house)
