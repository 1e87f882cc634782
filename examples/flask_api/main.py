"""An orders API that takes access tokens: orders:read to list the orders, orders:write to add or cancel one."""

import os

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

from sealring_verify.integrations.flask import Verifier, access_token, unprotected_routes

# Fails here, with a sentence, where SEALRING_ISSUER or SEALRING_AUDIENCE is missing or wrong.
verifier = Verifier.from_environment(resource=os.environ.get("ORDERS_RESOURCE"))
app = Flask(__name__, static_folder=None)
if verifier.resource:
    verifier.serve_metadata(app)

orders = [{"id": 1, "item": "lamp"}]


@app.get("/orders")
@verifier.require("orders:read")
def list_orders() -> ResponseReturnValue:
    """List all orders."""
    return jsonify(orders)


@app.post("/orders")
@verifier.require("orders:write")
def add_order() -> ResponseReturnValue:
    """Add an order, and note whose it is."""
    order = {"id": len(orders) + 1, "item": str(request.get_json()["item"])}
    orders.append(order)
    return jsonify({**order, "by": access_token().sub}), 201


@app.delete("/orders/<int:number>")
@verifier.require("orders:write", max_age=300)
def cancel_order(number: int) -> ResponseReturnValue:
    """Cancel an order; who does must have signed in within five minutes."""
    for order in orders:
        if order["id"] == number:
            orders.remove(order)
            return jsonify(order)
    return abort(404)


@app.get("/health")
def health() -> ResponseReturnValue:
    """Say that this API runs."""
    return jsonify("well")


# It does not start where a route was added and its requirement forgotten.
if forgotten := set(unprotected_routes(app)) - {"GET /health"}:
    raise RuntimeError(f"nothing protects {', '.join(sorted(forgotten))}")
