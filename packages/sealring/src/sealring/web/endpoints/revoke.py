"""`/revoke` (RFC 7009): clients give back what they no longer need."""

from sealring.browser.csp import JSON_HEADERS
from sealring.protocol.client_authentication import parse_form_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Secret
from sealring.services.client_authentication import authenticate_client
from sealring.services.house import House
from sealring.services.revocation import revoke_as_client
from sealring.web.exchange import Answer, Request, refusal_answer
from sealring.web.form import read_form


async def post_revoke(request: Request, house: House) -> Answer:
    """End the token in the form, if it is this client's; every authenticated client is answered the same."""
    if house.halted:
        return refusal_answer(refuse("store_rolled_back", retry_after=60))
    form = read_form(request)
    if isinstance(form, OAuthError):
        return refusal_answer(form)
    credentials = parse_form_credentials(request.headers.get("authorization"), form)
    if isinstance(credentials, OAuthError):
        return refusal_answer(credentials)
    client = await authenticate_client(
        credentials, store=house.store, keys=house.client_keys, issuer=house.issuer, now=house.clock()
    )
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    if "token" not in form:
        return refusal_answer(refuse("missing_parameter", description="Send the token to end as `token`."))
    # `token_type_hint` is not looked at: a token of ours says itself what it is (RFC 7009 §2.1).
    await revoke_as_client(
        Secret(form["token"]), client, request.caller, store=house.store, signer=house.signer, now=house.clock()
    )
    return Answer(status=200, headers=JSON_HEADERS, body=b"")
