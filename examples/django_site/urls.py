"""The addresses of the site: two of its own, and those of the sign-in."""

import views
from django.urls import path

from sealring_verify.integrations.django_site import urlpatterns as sealring

urlpatterns = [*sealring, path("", views.shop), path("orders", views.orders)]
