"""An orders API that takes access tokens: orders:read to list the orders, orders:write to add or cancel one."""

from django.http import Http404
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet
from tokens import GoodToken, verifier

ORDERS = [{"id": 1, "item": "lamp"}]
DEMANDS = {
    "list": verifier.require("orders:read"),
    "create": verifier.require("orders:write"),
    # Who cancels must have signed in within five minutes.
    "destroy": verifier.require("orders:write", max_age=300),
}


class Orders(ViewSet):
    """All orders."""

    def get_permissions(self) -> list[BasePermission]:
        """Demand what the action needs."""
        return [DEMANDS.get(self.action, GoodToken)()]

    def list(self, _request: Request) -> Response:
        """List all orders."""
        return Response(ORDERS)

    def create(self, request: Request) -> Response:
        """Add an order, and note whose it is."""
        order = {"id": len(ORDERS) + 1, "item": str(request.data["item"])}
        ORDERS.append(order)
        return Response({**order, "by": request.auth.sub}, status=201)

    def destroy(self, _request: Request, number: int) -> Response:
        """Cancel an order."""
        for order in ORDERS:
            if order["id"] == number:
                ORDERS.remove(order)
                return Response(order)
        raise Http404


@api_view(["GET"])
@permission_classes([AllowAny])
def health(_request: Request) -> Response:
    """Say that this API runs."""
    return Response("well")
