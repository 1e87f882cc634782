"""How `sealring clients` names and shows what a client of the code flow has."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from typing import Any, Final

_ALGORITHMS: Final = ("RS256", "ES256", "PS256", "Ed25519")
_PAGES: Final = ("client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri")


def describe_code_flow(parser: ArgumentParser) -> None:
    """Add what a client may be given whose people sign in by the browser; an empty text takes a member away."""
    parser.add_argument(
        "--redirect-uri", action="append", metavar="URI", help="where people come back: turns the code flow on; several"
    )
    parser.add_argument(
        "--native",
        action=BooleanOptionalAction,
        help="an application on people's own machines: its redirect URIs may have a scheme of its own (default: no)",
    )
    parser.add_argument(
        "--insecure-no-pkce",
        action=BooleanOptionalAction,
        help="take authorization requests without PKCE from this confidential client (default: no)",
    )
    parser.add_argument("--skip-consent", action=BooleanOptionalAction, help="never ask people about it (default: ask)")
    parser.add_argument("--id-token-alg", choices=_ALGORITHMS, help="what its ID tokens are signed with (RS256)")
    parser.add_argument(
        "--userinfo-alg", choices=(*_ALGORITHMS, "none"), help="sign what /userinfo answers to it (default: plain JSON)"
    )
    parser.add_argument(
        "--sector", metavar="HOST", help="know people under names of this sector's own (default: by their one sub)"
    )
    parser.add_argument(
        "--post-logout-redirect-uri", action="append", metavar="URI", help="where people may go after log-out; several"
    )
    parser.add_argument(
        "--request-uri", action="append", metavar="URL", help="where a request that it signed may lie; several"
    )
    parser.add_argument("--backchannel-logout-uri", metavar="URL", help="where it hears that a session has ended")
    parser.add_argument(
        "--frontchannel-logout-uri",
        metavar="URL",
        help="a page of its own that log-out pages load, where logout.front_channel is on; the back channel is surer",
    )
    parser.add_argument("--client-uri", metavar="URL", help="its home page")
    parser.add_argument("--logo-uri", metavar="URL", help="its logo")
    parser.add_argument("--policy-uri", metavar="URL", help="its privacy policy")
    parser.add_argument("--tos-uri", metavar="URL", help="its terms of service")
    parser.add_argument("--initiate-login-uri", metavar="URL", help="where others may begin a log-in with it")


def describe_code_flow_end(parser: ArgumentParser) -> None:
    """Add what takes lists of the code flow away."""
    parser.add_argument(
        "--no-redirect-uris", action="store_true", help="end the code flow, with all that belongs to it"
    )
    parser.add_argument("--no-post-logout-redirect-uris", action="store_true", help="take these addresses away")
    parser.add_argument("--no-request-uris", action="store_true", help="take these addresses away")


def code_flow_members(options: Namespace) -> dict[str, Any]:
    """Write what was named as the members of a registration or a change; what was not named is absent."""
    flow = {
        "redirect_uris": options.redirect_uri,
        "application_type": _either(options.native, yes="native", no="web"),
        "require_pkce": _either(options.insecure_no_pkce, yes=False, no=True),
        "consent": _either(options.skip_consent, yes="skip", no="ask"),
        "id_token_signed_response_alg": options.id_token_alg,
        "userinfo_signed_response_alg": options.userinfo_alg,
        "sector_identifier": options.sector,
        "request_uris": options.request_uri,
    }
    logout = {
        "post_logout_redirect_uris": options.post_logout_redirect_uri,
        "backchannel_logout_uri": options.backchannel_logout_uri,
        "frontchannel_logout_uri": options.frontchannel_logout_uri,
    }
    if getattr(options, "no_redirect_uris", False):
        flow["redirect_uris"] = []
    if getattr(options, "no_request_uris", False):
        flow["request_uris"] = []
    if getattr(options, "no_post_logout_redirect_uris", False):
        logout["post_logout_redirect_uris"] = []
    pages = {name: getattr(options, name) for name in _PAGES}
    said = {"code_flow": _named(flow), "logout": _named(logout), "pages": _named(pages)}
    return {name: members for name, members in said.items() if members}


def code_flow_lines(client: dict[str, Any]) -> list[tuple[str, Any]]:
    """Show a client's code flow as lines of its card; none where it has none."""
    flow, logout = client["code_flow"], client["logout"]
    if flow is None:
        return []
    return [
        ("redirect URIs", flow["redirect_uris"]),
        ("application", flow["application_type"]),
        ("PKCE", "required" if flow["require_pkce"] else "NOT required"),
        ("consent", flow["consent"]),
        ("ID tokens signed with", flow["id_token_signed_response_alg"]),
        ("userinfo signed with", flow["userinfo_signed_response_alg"]),
        ("sector", flow["sector_identifier"]),
        ("signed requests at", flow["request_uris"]),
        ("after log-out", logout["post_logout_redirect_uris"]),
        ("hears of log-out at", logout["backchannel_logout_uri"]),
        ("log-out pages load", logout["frontchannel_logout_uri"]),
        *((name, client["pages"][name]) for name in _PAGES if client["pages"][name] is not None),
        *([("registered by", "itself")] if client["self_registered"] else []),
    ]


def _either(said: bool | None, *, yes: object, no: object) -> Any:  # noqa: ANN401, FBT001 -- JSON; what argparse says
    return None if said is None else yes if said else no


def _named(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
