"""An orders API that takes access tokens: orders:read to list the orders, orders:write to add or cancel one."""

import os

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sealring_verify.integrations.asgi import Verifier, access_token, unprotected_routes

# Fails here, with a sentence, where SEALRING_ISSUER or SEALRING_AUDIENCE is missing or wrong.
verifier = Verifier.from_environment(resource=os.environ.get("ORDERS_RESOURCE"))
orders = [{"id": 1, "item": "lamp"}]


async def list_orders(_request: Request) -> JSONResponse:
    """List all orders."""
    return JSONResponse(orders)


async def add_order(request: Request) -> JSONResponse:
    """Add an order, and note whose it is."""
    new = await request.json()
    order = {"id": len(orders) + 1, "item": str(new["item"])}
    orders.append(order)
    return JSONResponse({**order, "by": access_token(request.scope).sub}, 201)


async def cancel_order(request: Request) -> JSONResponse:
    """Cancel an order; who does must have signed in within five minutes."""
    for order in orders:
        if order["id"] == request.path_params["number"]:
            orders.remove(order)
            return JSONResponse(order)
    raise HTTPException(404)


async def health(_request: Request) -> JSONResponse:
    """Say that this API runs."""
    return JSONResponse("well")


reads, writes = Middleware(verifier.require("orders:read")), Middleware(verifier.require("orders:write"))
cancels = Middleware(verifier.require("orders:write", max_age=300))
app = Starlette(
    routes=[
        Route("/orders", list_orders, middleware=[reads]),
        Route("/orders", add_order, methods=["POST"], middleware=[writes]),
        Route("/orders/{number:int}", cancel_order, methods=["DELETE"], middleware=[cancels]),
        Route("/health", health),
    ],
    middleware=[Middleware(verifier.serve_metadata)] if verifier.resource else [],
)

# It does not start where a route was added and its requirement forgotten.
if forgotten := set(unprotected_routes(app)) - {"GET /health"}:
    raise RuntimeError(f"nothing protects {', '.join(sorted(forgotten))}")
