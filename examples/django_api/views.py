"""An orders API that takes access tokens: orders:read to list the orders, orders:write to add or cancel one."""

import json

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_http_methods
from tokens import verifier

from sealring_verify.integrations.django import access_token, token_not_required

ORDERS = [{"id": 1, "item": "lamp"}]


class Orders(View):
    """All orders."""

    @method_decorator(verifier.require("orders:read"))
    def get(self, _request: HttpRequest) -> HttpResponse:
        """List all orders."""
        return JsonResponse(ORDERS, safe=False)

    @method_decorator(verifier.require("orders:write"))
    def post(self, request: HttpRequest) -> HttpResponse:
        """Add an order, and note whose it is."""
        order = {"id": len(ORDERS) + 1, "item": str(json.loads(request.body)["item"])}
        ORDERS.append(order)
        return JsonResponse({**order, "by": access_token(request).sub}, status=201)


@require_http_methods(["DELETE"])
@verifier.require("orders:write", max_age=300)
async def cancel_order(_request: HttpRequest, number: int) -> HttpResponse:
    """Cancel an order; who does must have signed in within five minutes."""
    for order in ORDERS:
        if order["id"] == number:
            ORDERS.remove(order)
            return JsonResponse(order)
    raise Http404


@token_not_required
def health(_request: HttpRequest) -> HttpResponse:
    """Say that this API runs."""
    return JsonResponse("well", safe=False)
