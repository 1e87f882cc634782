"""What a client's registration must be where people sign in to it by the code flow (OpenID Connect Registration §2)."""

import re
from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import urldefrag

import msgspec

from sealring.protocol.client import (
    ApplicationType,
    AssertionAlgorithm,
    Client,
    ClientLogout,
    ClientPages,
    CodeFlow,
    IdTokenAlgorithm,
)
from sealring.protocol.frontchannel_logout import frontchannel_uri_problem
from sealring.protocol.https_target import parse_target
from sealring.protocol.redirect_uri import redirect_uri_problem

_MOST_URIS: Final = 32
_MOST_WORDS: Final = 16
_LONGEST_WORD: Final = 256  # characters
_LONGEST_MAX_AGE: Final = 10 * 366 * 24 * 3600  # seconds
_SECTOR: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class CodeFlowChosen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a client shall sign people in; None leaves a member as it is, or has its default.

    Without redirect URIs there is no code flow; `""` and an algorithm `none` take a member away.
    """

    redirect_uris: tuple[str, ...] | None = None
    application_type: ApplicationType | None = None
    require_pkce: bool | None = None
    consent: Literal["ask", "skip"] | None = None
    id_token_signed_response_alg: IdTokenAlgorithm | None = None
    userinfo_signed_response_alg: IdTokenAlgorithm | Literal["none"] | None = None
    sector_identifier: str | None = None
    sector_identifier_uri: str | None = None
    default_max_age: int | None = None
    require_auth_time: bool | None = None
    default_acr_values: tuple[str, ...] | None = None
    request_uris: tuple[str, ...] | None = None
    request_object_signing_alg: AssertionAlgorithm | None = None


class LogoutChosen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a client's users shall go after a log-out, and how it is told; None and `""` as in `CodeFlowChosen`."""

    post_logout_redirect_uris: tuple[str, ...] | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool | None = None
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool | None = None


class PagesChosen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client shall show of itself; None and `""` as in `CodeFlowChosen`."""

    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    initiate_login_uri: str | None = None
    contacts: tuple[str, ...] | None = None


def choose_code_flow(
    client: Client, *, flow: CodeFlowChosen | None, logout: LogoutChosen | None, pages: PagesChosen | None
) -> Client:
    """Give a client what was chosen for it; `code_flow_problem` judges the whole.

    Without a redirect URI the code flow ends, with all that belongs to it.
    """
    if flow is not None and flow.redirect_uris == ():
        return msgspec.structs.replace(client, code_flow=None, logout=ClientLogout(), pages=ClientPages())
    chosen = client
    if flow is not None:
        begun = client.code_flow or CodeFlow(redirect_uris=())
        chosen = msgspec.structs.replace(chosen, code_flow=msgspec.structs.replace(begun, **_named(flow)))
    if logout is not None:
        told = msgspec.structs.replace(client.logout, **_named(logout))
        chosen = msgspec.structs.replace(chosen, logout=told)
    if pages is not None:
        chosen = msgspec.structs.replace(chosen, pages=msgspec.structs.replace(client.pages, **_named(pages)))
    return chosen


def code_flow_problem(client: Client) -> str | None:
    """Say in a sentence what is wrong with how a client signs people in; None where all holds together."""
    flow = client.code_flow
    if flow is None:
        if client.logout == ClientLogout() and client.pages == ClientPages():
            return None
        return "Pages and log-out addresses belong to clients with a redirect URI: name one."
    return (
        redirect_uris_problem(flow.redirect_uris, application_type=flow.application_type)
        or _flow_problem(flow, client)
        or _logout_problem(client.logout, flow)
        or _pages_problem(client.pages)
    )


def redirect_uris_problem(uris: tuple[str, ...], *, application_type: ApplicationType) -> str | None:
    """Say in a sentence why these are not the redirect URIs of a client; None for good ones."""
    if not uris:
        return "A client signs people in by the code flow once it has a redirect URI."
    return _uris_problem(uris, application_type=application_type)


def _named(chosen: msgspec.Struct) -> dict[str, object]:
    """Tell the members that were chosen, those that are taken away as None."""
    members = {name: value for name, value in msgspec.structs.asdict(chosen).items() if value is not None}
    return {name: None if value in ("", "none") else value for name, value in members.items()}


def _uris_problem(uris: tuple[str, ...], *, application_type: ApplicationType) -> str | None:
    if len(uris) > _MOST_URIS or len(set(uris)) < len(uris):
        return f"A client has at most {_MOST_URIS} addresses of a kind, each once."
    for uri in uris:
        sentence = redirect_uri_problem(uri, application_type=application_type)
        if sentence is not None:
            return f"{uri[:200]!a}: {sentence}"
    return None


def _flow_problem(flow: CodeFlow, client: Client) -> str | None:
    if client.type == "public" and not flow.require_pkce:
        return "A public client always uses PKCE: nothing else proves that a code is its own (RFC 9700, 2.1.1)."
    if flow.sector_identifier is not None and not _SECTOR.fullmatch(flow.sector_identifier):
        return "A sector is a host in lower case, as in app.example."
    if flow.default_max_age is not None and not 0 <= flow.default_max_age <= _LONGEST_MAX_AGE:
        return "The default max_age is 0 seconds to ten years."
    return _request_uris_problem(flow.request_uris, client) or _words_problem("acr values", flow.default_acr_values)


def _request_uris_problem(uris: tuple[str, ...], client: Client) -> str | None:
    if len(uris) > _MOST_URIS:
        return f"A client has at most {_MOST_URIS} addresses of a kind, each once."
    if any(parse_target(urldefrag(uri).url) is None for uri in uris):
        return "A request URI is an https address without user name."
    if uris and client.jwks is None and client.jwks_uri is None:
        return "A client that signs its requests needs its public keys: jwks, or a jwks_uri that publishes them."
    return None


def _logout_problem(logout: ClientLogout, flow: CodeFlow) -> str | None:
    uri = logout.backchannel_logout_uri
    if uri is not None and parse_target(uri) is None:
        return "A back-channel logout URI is an https address without user name or fragment."
    if logout.frontchannel_logout_uri is not None:
        sentence = frontchannel_uri_problem(logout.frontchannel_logout_uri, redirect_uris=flow.redirect_uris)
        if sentence is not None:
            return sentence
    return _uris_problem(logout.post_logout_redirect_uris, application_type=flow.application_type)


def _pages_problem(pages: ClientPages) -> str | None:
    for name in ("client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri"):
        uri = getattr(pages, name)
        # The characters of a redirect URI: what people may click holds no quote, no space, no look-alike.
        if uri is not None and (
            parse_target(uri) is None or redirect_uri_problem(uri, application_type="web") is not None
        ):
            return f"The {name} is an https address of plain characters, without user name or fragment."
    return _words_problem("contacts", pages.contacts)


def _words_problem(name: str, words: Iterable[str]) -> str | None:
    listed = tuple(words)
    if len(listed) > _MOST_WORDS or not all(1 <= len(word) <= _LONGEST_WORD and word.isprintable() for word in listed):
        return f"A client has at most {_MOST_WORDS} {name}, each of 1 to {_LONGEST_WORD} printable characters."
    return None
