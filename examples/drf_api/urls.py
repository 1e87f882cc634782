"""The addresses of the orders API."""

from django.core.exceptions import ImproperlyConfigured
from django.urls import path
from tokens import verifier
from views import Orders, health

from sealring_verify.integrations.drf import unprotected_routes

urlpatterns = [
    path("orders", Orders.as_view({"get": "list", "post": "create"})),
    path("orders/<int:number>", Orders.as_view({"delete": "destroy"})),
    path("health", health),
]
if verifier.resource:
    urlpatterns.append(verifier.metadata_url())

# It does not start where a view was opened to everybody and nobody knows.
if forgotten := set(unprotected_routes()) - {"/health"}:
    raise ImproperlyConfigured(f"nothing protects {', '.join(sorted(forgotten))}")
