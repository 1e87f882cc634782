"""`PUT /password`: people change their own password."""

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.session import parse_password_change_request
from sealring.services.house import House
from sealring.services.password import change_password
from sealring.web.delivery import bind, deliver, make_binding, refuse_delivery
from sealring.web.endpoints.session import refuse_content
from sealring.web.endpoints.sessions import find_bearer
from sealring.web.exchange import Answer, Request, refusal_answer


async def put_password(request: Request, house: House) -> Answer:
    """Set a new password after checking the old one, and answer with new tokens for this session."""
    if house.halted:
        return refusal_answer(refuse("store_rolled_back", retry_after=60))
    message = refuse_content(request) or parse_password_change_request(request.body)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    bearer = await find_bearer(request, house)
    if isinstance(bearer, OAuthError):
        return refusal_answer(bearer)
    client = await house.store.clients.find(bearer.session.client_id)
    refusal = refuse("wrong_credentials") if client is None else refuse_delivery(request, client)
    if client is None or refusal is not None:
        return refusal_answer(refusal or refuse("wrong_credentials"))
    binding = make_binding(client, randomness=house.randomness)
    outcome = await change_password(
        message,
        bearer,
        bind(request.caller, binding),
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        limit=house.limit,
        policy=house.password_policy,
        now=house.clock(),
        randomness=house.randomness,
        activity=house.activity,
    )
    return (
        refusal_answer(outcome) if isinstance(outcome, OAuthError) else deliver(outcome, client, house, binding=binding)
    )
