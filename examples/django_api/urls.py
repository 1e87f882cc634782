"""The addresses of the orders API."""

from django.core.exceptions import ImproperlyConfigured
from django.urls import path
from tokens import verifier
from views import Orders, cancel_order, health

from sealring_verify.integrations.django import unprotected_routes

urlpatterns = [
    path("orders", Orders.as_view()),
    path("orders/<int:number>", cancel_order),
    path("health", health),
]
if verifier.resource:
    urlpatterns.append(verifier.metadata_url())

# It does not start where a view was opened to everybody and nobody knows.
if forgotten := set(unprotected_routes()) - {"/health"}:
    raise ImproperlyConfigured(f"nothing protects {', '.join(sorted(forgotten))}")
