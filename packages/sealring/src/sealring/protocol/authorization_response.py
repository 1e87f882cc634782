"""Authorization responses: what goes back to a client's redirect URI, errors included (RFC 6749 §4.1.2, RFC 9207)."""

from sealring.protocol.authorization_request import ReturnAddress
from sealring.protocol.errors import OAuthError
from sealring.protocol.redirect_uri import add_parameters
from sealring.protocol.secret import Secret


def code_response(code: Secret, address: ReturnAddress, *, issuer: str) -> dict[str, str]:
    """Write the parameters that give a client its code."""
    return _with_state({"code": code.reveal(), "iss": issuer}, address)


def error_response(refusal: OAuthError, address: ReturnAddress, *, issuer: str) -> dict[str, str]:
    """Write the parameters that tell a client why it gets none: the RFC's word, an ASCII sentence, not our code."""
    description = refusal.description.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/")
    return _with_state({"error": refusal.error, "error_description": description, "iss": issuer}, address)


def response_location(address: ReturnAddress, parameters: dict[str, str]) -> str:
    """Write the address of a response by query; what the redirect URI's own query has stays as it is."""
    return add_parameters(address.redirect_uri, parameters)


def _with_state(parameters: dict[str, str], address: ReturnAddress) -> dict[str, str]:
    return parameters if address.state is None else parameters | {"state": address.state}
