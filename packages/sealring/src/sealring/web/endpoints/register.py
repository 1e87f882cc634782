"""`/register`: clients register themselves (RFC 7591) and manage what they registered (RFC 7592)."""

from sealring.protocol.client_metadata import ClientMetadata, client_information
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import parse_json_object
from sealring.services.house import House
from sealring.services.registration import (
    RegisteredClient,
    RegistrationDesk,
    delete_registration,
    read_registration,
    register_client,
    replace_registration,
)
from sealring.web.endpoints.session import refuse_content
from sealring.web.exchange import Answer, Request, json_answer, no_content, refusal_answer


async def post_register(request: Request, house: House) -> Answer:
    """Register a client."""
    desk, metadata = _desk(house), _metadata(request)
    if isinstance(desk, OAuthError):
        return refusal_answer(desk)
    if isinstance(metadata, OAuthError):
        return refusal_answer(metadata)
    return _answer(await register_client(metadata, _token(request), request.caller, desk=desk), house, status=201)


async def get_registration(request: Request, house: House) -> Answer:
    """Give what a client has registered."""
    desk = _desk(house)
    if isinstance(desk, OAuthError):
        return refusal_answer(desk)
    return _answer(await read_registration(request.parameters["client_id"], _token(request), desk=desk), house)


async def put_registration(request: Request, house: House) -> Answer:
    """Replace what a client has registered."""
    desk, metadata = _desk(house), _metadata(request)
    if isinstance(desk, OAuthError):
        return refusal_answer(desk)
    if isinstance(metadata, OAuthError):
        return refusal_answer(metadata)
    client_id = request.parameters["client_id"]
    return _answer(await replace_registration(client_id, _token(request), metadata, request.caller, desk=desk), house)


async def delete_client_registration(request: Request, house: House) -> Answer:
    """Delete a client."""
    desk = _desk(house)
    if isinstance(desk, OAuthError):
        return refusal_answer(desk)
    client_id = request.parameters["client_id"]
    refusal = await delete_registration(client_id, _token(request), request.caller, desk=desk)
    return no_content() if refusal is None else refusal_answer(refusal)


def _desk(house: House) -> RegistrationDesk | OAuthError:
    if house.registration is None:
        return refuse("not_found")
    return refuse("store_rolled_back", retry_after=60) if house.halted else house.registration


def _metadata(request: Request) -> ClientMetadata | OAuthError:
    refusal = refuse_content(request)
    if refusal is not None:
        return refusal
    metadata = parse_json_object(request.body, ClientMetadata)
    if isinstance(metadata, OAuthError) and metadata.code == "invalid_member":
        return refuse("invalid_client_metadata", description=metadata.description)
    return metadata


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def _answer(outcome: RegisteredClient | OAuthError, house: House, *, status: int = 200) -> Answer:
    if isinstance(outcome, OAuthError):
        return refusal_answer(outcome)
    members = client_information(outcome.client)
    client_id = outcome.client.client_id
    members |= {
        "registration_access_token": outcome.registration_access_token.reveal(),
        "registration_client_uri": f"{house.issuer}/register/{client_id}",
    }
    if outcome.client_secret is not None:
        members |= {"client_secret": outcome.client_secret.reveal(), "client_secret_expires_at": 0}
    return json_answer(members, status=status)
