"""Fetching what a client signed of its request, from an address that it registered (RFC 9101 §5.2)."""

from http import HTTPStatus
from urllib.parse import urldefrag, urlencode

from sealring.ports import Outgoing, OutgoingAnswer, Store
from sealring.protocol.authorization_request import Parameters, parse_parameters
from sealring.protocol.client import Client
from sealring.protocol.client_assertion import NoKeyFits
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.request_object import decide_request_object, is_unsigned
from sealring.services.authorization import Returned, Shown, send_back
from sealring.services.client_keys import ClientKeys


async def resolve_request_uri(
    encoded: bytes, *, store: Store, outgoing: Outgoing, keys: ClientKeys, issuer: str, now: Instant
) -> bytes | Shown | Returned:
    """Put in the place of a `request_uri` what stands there; a request without one is given back as it came.

    So is one of a client that registered no such address, for whoever reads it next to refuse. A request is fetched
    once, when it arrives: what waits for its person afterwards is what was read.
    """
    if b"request_uri=" not in encoded:
        return encoded
    parameters = parse_parameters(encoded)
    if isinstance(parameters, OAuthError) or len(parameters.get("client_id", ())) != 1:
        return encoded
    client = await store.clients.find(parameters["client_id"][0])
    if (
        client is None
        or client.disabled_at is not None
        or client.code_flow is None
        or not client.code_flow.request_uris
    ):
        return encoded
    found = await _read(parameters, client, outgoing=outgoing, keys=keys, issuer=issuer, now=now)
    if isinstance(found, OAuthError):
        return send_back(found, parameters, client, issuer=issuer)
    return urlencode(found, doseq=True).encode()


async def _read(
    parameters: Parameters, client: Client, *, outgoing: Outgoing, keys: ClientKeys, issuer: str, now: Instant
) -> Parameters | OAuthError:
    asked = parameters.get("request_uri", ())
    if len(asked) != 1 or "request" in parameters:
        return refuse("invalid_request_uri")
    # The fragment says which content is meant, for servers that keep it (OpenID Connect Core §6.2): this one does not.
    uri = urldefrag(asked[0]).url
    registered = () if client.code_flow is None else client.code_flow.request_uris
    if uri not in {urldefrag(each).url for each in registered}:
        return refuse("invalid_request_uri")
    answer = await outgoing.fetch(uri)
    if not isinstance(answer, OutgoingAnswer) or answer.status != HTTPStatus.OK or not answer.body.isascii():
        return refuse("invalid_request_uri")
    text = answer.body.decode("ascii").strip()
    if is_unsigned(text):
        return refuse("request_uri_not_supported", description="Request objects are taken here if they are signed.")
    return await _decide(text, client, keys=keys, issuer=issuer, now=now)


async def _decide(text: str, client: Client, *, keys: ClientKeys, issuer: str, now: Instant) -> Parameters | OAuthError:
    seen = None
    for unknown_key in (False, True):
        document = await keys.find(client, unknown_key=unknown_key)
        if document is None or document == seen:
            break
        seen = document
        try:
            outcome = decide_request_object(text, document=document, client=client, issuer=issuer, now=now)
        except ValueError:  # what stands there is a JSON object, and no JWK set that can be used
            break
        if not isinstance(outcome, NoKeyFits):
            return outcome
    return refuse("invalid_request_object", description="The request object is not valid: no key of the client fits.")
