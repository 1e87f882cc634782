"""`/introspect` (RFC 7662): an API asks about a token of its own."""

from sealring.protocol.errors import OAuthError, refuse
from sealring.services.client_authentication import authenticate_api
from sealring.services.house import House
from sealring.services.introspection import introspect_token
from sealring.web.exchange import Answer, Request, json_answer, refusal_answer
from sealring.web.form import read_form


async def post_introspect(request: Request, house: House) -> Answer:
    """Say what the token in the form is worth to the API that asks."""
    if house.halted:
        # A store that was rolled back has forgotten which sessions ended since.
        return refusal_answer(refuse("store_rolled_back", retry_after=60))
    form = read_form(request)
    if isinstance(form, OAuthError):
        return refusal_answer(form)
    asking = await authenticate_api(request.headers.get("authorization"), store=house.store)
    if isinstance(asking, OAuthError):
        return refusal_answer(asking)
    if "token" not in form:
        return refusal_answer(refuse("missing_parameter", description="Send the token to introspect as `token`."))
    answer = await introspect_token(
        form["token"],
        asking.api,
        request.caller,
        store=house.store,
        signer=house.signer,
        checked=house.checked_tokens,
        now=house.clock(),
        activity=house.activity,
    )
    return json_answer(answer)
