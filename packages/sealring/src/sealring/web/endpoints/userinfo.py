"""`/userinfo` (OpenID Connect Core §5.3): who signed in, for the bearer of an access token."""

from sealring.browser.csp import JSON_HEADERS
from sealring.protocol.errors import OAuthError
from sealring.services.access_token import authenticate_bearer
from sealring.services.house import House
from sealring.services.userinfo import SignedUserinfo, tell_userinfo
from sealring.web.exchange import Answer, Request, json_answer, refusal_answer
from sealring.web.form import read_form


async def get_userinfo(request: Request, house: House) -> Answer:
    """Tell of the person, as JSON or as the signed JWT that the client is registered for."""
    return await _tell(request.headers.get("authorization"), house)


async def post_userinfo(request: Request, house: House) -> Answer:
    """Tell the same; the token may stand in the form where no header has it (RFC 6750 §2.2)."""
    authorization = request.headers.get("authorization")
    if authorization is None and request.body:
        form = read_form(request)
        if isinstance(form, OAuthError):
            return refusal_answer(form)
        token = form.get("access_token")
        authorization = None if token is None else f"Bearer {token}"
    return await _tell(authorization, house)


async def _tell(authorization: str | None, house: House) -> Answer:
    now = house.clock()
    bearer = await authenticate_bearer(authorization, scope="openid", store=house.store, signer=house.signer, now=now)
    if isinstance(bearer, OAuthError):
        return refusal_answer(bearer)
    told = await tell_userinfo(bearer, store=house.store, signer=house.signer, pairwise_key=house.pairwise_key)
    if isinstance(told, OAuthError):
        return refusal_answer(told)
    if isinstance(told, SignedUserinfo):
        headers = ((b"content-type", b"application/jwt"), *JSON_HEADERS)
        return Answer(status=200, headers=headers, body=told.token.encode("ascii"))
    return json_answer(told)
