"""The log-out request of a client (OpenID Connect RP-Initiated Logout 1.0 §2)."""

import msgspec

from sealring.protocol.authorization_request import Parameters
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse

_LONGEST_STATE = 1024


class LogoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a log-out asks for. `id_token_hint` may have expired; without one nobody is sent anywhere afterwards."""

    id_token_hint: str | None = None
    client_id: str | None = None
    post_logout_redirect_uri: str | None = None
    state: str | None = None


def parse_logout_request(parameters: Parameters) -> LogoutRequest | OAuthError:
    """Parse the parameters; unknown ones, `logout_hint` and `ui_locales` among them, are ignored."""
    names = LogoutRequest.__struct_fields__
    if any(len(parameters.get(name, ())) > 1 for name in names):
        return refuse("duplicate_parameter")
    given = {name: parameters[name][0] for name in names if name in parameters}
    if len(given.get("state", "")) > _LONGEST_STATE or not given.get("state", "").isprintable():
        return refuse("invalid_parameter", description="state has at most 1024 characters, without controls.")
    return LogoutRequest(**given)


def find_logout_client_id(request: LogoutRequest, *, hinted: str | None) -> str | OAuthError | None:
    """Say which client asks. `hinted`: the audience of its ID token, None without one; the two must not differ."""
    if hinted is not None and request.client_id is not None and hinted != request.client_id:
        return refuse("invalid_id_token_hint")
    return hinted or request.client_id


def refuse_logout_redirect(request: LogoutRequest, client: Client | None, *, hinted: bool) -> OAuthError | None:
    """Say why the browser may not be sent on; None where it may, or nobody asked for it.

    Compared character by character. Without an ID token of ours anybody could have made the address (§3).
    """
    uri = request.post_logout_redirect_uri
    if uri is None:
        return None
    if not hinted or client is None:
        return refuse("logout_redirect_refused", description="A redirect after the log-out needs an id_token_hint.")
    return None if uri in client.logout.post_logout_redirect_uris else refuse("logout_redirect_refused")
