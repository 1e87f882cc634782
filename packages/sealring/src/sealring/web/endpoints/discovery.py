"""What everybody may read: the key set, the metadata, and whether this node lives and is ready."""

from hashlib import sha256

import msgspec

from sealring.protocol.discovery import authorization_server_metadata
from sealring.services.house import House
from sealring.web.exchange import Answer, Request, json_answer

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")


async def get_jwks(request: Request, house: House) -> Answer:
    """Give the key set (RFC 7517 §5), which may be kept for `keys.key_set_seconds`."""
    return _kept(request, house.signer.key_set(), media_type=b"application/jwk-set+json", life=house.key_set_life)


async def get_feed_jwks(request: Request, house: House) -> Answer:
    """Give the keys of the revocation feed, which sign nothing else (SECURITY B3)."""
    return _kept(request, house.signer.feed_key_set(), media_type=b"application/jwk-set+json", life=house.key_set_life)


async def get_authorization_server(request: Request, house: House) -> Answer:
    """Give the authorization server metadata (RFC 8414 §3)."""
    document = msgspec.json.encode(
        authorization_server_metadata(
            house.issuer,
            registration=house.registration is not None,
            frontchannel_logout=house.frontchannel_logout,
        )
    )
    return _kept(request, document, media_type=b"application/json")


async def get_healthz(_request: Request, _house: House) -> Answer:
    """Say that this process lives."""
    return json_answer({"status": "alive"})


async def get_readyz(_request: Request, house: House) -> Answer:
    """Say whether this node may serve: the store answers, is the one that we know, and keeps our time."""
    await house.store.state.identity()
    code = house.readiness.code
    if code is not None:
        return json_answer({"status": "not ready", "code": code}, status=503)
    return json_answer({"status": "ready"})


def _kept(request: Request, body: bytes, *, media_type: bytes, life: int = 300) -> Answer:
    etag = b'"' + sha256(body).hexdigest()[:32].encode() + b'"'
    headers = (
        (b"content-type", media_type),
        (b"cache-control", b"public, max-age=%d" % life),
        (b"etag", etag),
        _NOSNIFF,
        _ANY_ORIGIN,
    )
    if etag.decode() in request.headers.get("if-none-match", ""):
        return Answer(status=304, headers=headers, body=b"")
    return Answer(status=200, headers=headers, body=body)
