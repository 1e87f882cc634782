"""`/client-logo/{client_id}`: a client's logo from our own origin, since pages load nothing from anywhere else."""

from sealring.protocol.errors import refuse
from sealring.services.house import House
from sealring.web.exchange import Answer, Request, refusal_answer
from sealring.web.pages.static import file_answer


async def get_client_logo(request: Request, house: House) -> Answer:
    """Give the logo of a client of the code flow, if it has one that can hold no script."""
    client = await house.store.clients.find(request.parameters["client_id"])
    if client is None or client.code_flow is None:
        return refusal_answer(refuse("not_found"))
    image = await house.client_logos.find(client)
    if image is None:
        return refusal_answer(refuse("not_found"))
    alone = (b"content-security-policy", b"default-src 'none'; sandbox")
    return file_answer(image.media_type.encode("ascii"), image.content, request, headers=(alone,))
