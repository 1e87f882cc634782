"""What pages show of the client that sent a person: who it is as far as anybody checked, and where its answer goes."""

import msgspec

from sealring.protocol.client import Client
from sealring.protocol.redirect_uri import redirect_host


class ClientLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that a client registered. `id`: of the element."""

    id: str
    href: str
    text: str


class ClientCard(msgspec.Struct, frozen=True, kw_only=True):
    """`host`: where the answer goes. `verified`: False where a client registered itself (SECURITY E3)."""

    client_id: str
    name: str
    host: str
    verified: bool
    has_logo: bool
    links: tuple[ClientLink, ...]


def client_card(client: Client, *, redirect_uri: str) -> ClientCard:
    """Say what is shown of a client. A link that is no web address is left out, whoever registered it."""
    pages = client.pages
    registered = (
        ("client-uri", pages.client_uri, "About this application"),
        ("client-policy", pages.policy_uri, "How it handles your data"),
        ("client-tos", pages.tos_uri, "Its terms of use"),
    )
    return ClientCard(
        client_id=client.client_id,
        name=client.name,
        host=redirect_host(redirect_uri),
        verified=not client.self_registered,
        has_logo=pages.logo_uri is not None,
        links=tuple(
            ClientLink(id=name, href=uri, text=text)
            for name, uri, text in registered
            if uri is not None and uri.startswith(("https://", "http://"))
        ),
    )
