"""An orders API that takes access tokens: orders:read to list the orders, orders:write to add one."""

import os

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, Field

from sealring_verify.integrations.fastapi import Verifier


class NewOrder(BaseModel):
    """What a client sends."""

    item: str = Field(min_length=1, max_length=100)


class Order(BaseModel):
    """What this API keeps."""

    id: int
    item: str


# Fails here, with a sentence, where SEALRING_ISSUER or SEALRING_AUDIENCE is missing or wrong.
verifier = Verifier.from_environment()
app = FastAPI(title="Orders")
verifier.install(app)

# A page on another origin may call this API: with a token in its hands, never with cookies.
if page_origin := os.environ.get("ORDERS_PAGE_ORIGIN"):
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[page_origin],
        allow_methods=["GET", "POST"],
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
