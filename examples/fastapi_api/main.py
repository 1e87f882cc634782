"""An orders API that takes access tokens: orders:read to list the orders, orders:write to add or cancel one."""

import os

from fastapi import Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, Field

from sealring_verify.integrations.fastapi import Verifier, unprotected_routes


class NewOrder(BaseModel):
    """What a client sends."""

    item: str = Field(min_length=1, max_length=100)


class Order(BaseModel):
    """What this API keeps."""

    id: int
    item: str


# Fails here, with a sentence, where SEALRING_ISSUER or SEALRING_AUDIENCE is missing or wrong.
verifier = Verifier.from_environment(resource=os.environ.get("ORDERS_RESOURCE"))
app = FastAPI(title="Orders")
verifier.install(app)

# A page on another origin may call this API: with a token in its hands, never with cookies.
if page_origin := os.environ.get("ORDERS_PAGE_ORIGIN"):
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[page_origin],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["WWW-Authenticate"],
    )

orders = [Order(id=1, item="lamp")]


@app.get("/orders", dependencies=[Depends(verifier.require("orders:read"))])
async def list_orders() -> list[Order]:
    """List all orders."""
    return orders


@app.post("/orders", status_code=201, dependencies=[Depends(verifier.require("orders:write"))])
async def add_order(new: NewOrder) -> Order:
    """Add an order."""
    order = Order(id=len(orders) + 1, item=new.item)
    orders.append(order)
    return order


@app.delete("/orders/{number}", dependencies=[Depends(verifier.require("orders:write", max_age=300))])
async def cancel_order(number: int) -> Order:
    """Cancel an order; who does must have signed in within five minutes."""
    for order in orders:
        if order.id == number:
            orders.remove(order)
            return order
    raise HTTPException(404)


@app.get("/health")
async def health() -> str:
    """Say that this API runs."""
    return "well"


# It does not start where a route was added and its requirement forgotten.
open_to_all = {"GET /health", "GET /openapi.json", "GET /docs", "GET /docs/oauth2-redirect", "GET /redoc"}
if forgotten := set(unprotected_routes(app)) - open_to_all:
    raise RuntimeError(f"nothing protects {', '.join(sorted(forgotten))}")
