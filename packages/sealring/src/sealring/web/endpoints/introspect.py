"""`/introspect` (RFC 7662): an API asks about a token of its own, a client about its refresh token."""

from collections.abc import Mapping

from sealring.protocol.client_authentication import parse_form_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.refresh_token_format import PREFIX
from sealring.protocol.secret import Secret
from sealring.services.client_authentication import authenticate_api, authenticate_client
from sealring.services.house import House
from sealring.services.introspection import introspect_refresh_token, introspect_token
from sealring.web.exchange import Answer, Request, json_answer, refusal_answer
from sealring.web.form import read_form


async def post_introspect(request: Request, house: House) -> Answer:
    """Say what the token in the form is worth to the API or client that asks."""
    if house.halted:
        # A store that was rolled back has forgotten which sessions ended since.
        return refusal_answer(refuse("store_rolled_back", retry_after=60))
    form = read_form(request)
    if isinstance(form, OAuthError):
        return refusal_answer(form)
    asking = await authenticate_api(request.headers.get("authorization"), store=house.store)
    if isinstance(asking, OAuthError):
        if form.get("token", "").startswith(PREFIX):
            return await _answer_client(request, form, house)
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


async def _answer_client(request: Request, form: Mapping[str, str], house: House) -> Answer:
    credentials = parse_form_credentials(request.headers.get("authorization"), form)
    if isinstance(credentials, OAuthError):
        return refusal_answer(credentials)
    client = await authenticate_client(
        credentials, store=house.store, keys=house.client_keys, issuer=house.issuer, now=house.clock()
    )
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    if client.type == "public":  # RFC 7662 §2.1: nobody asks without proving who it is
        return refusal_answer(refuse("client_authentication_failed"))
    answer = await introspect_refresh_token(
        Secret(form["token"]), client, store=house.store, signer=house.signer, now=house.clock()
    )
    return json_answer(answer)
