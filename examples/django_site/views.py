"""Everybody may look at the shop, orders are seen by whoever is signed in."""

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine

from sealring_verify.integrations.django_site import login_required

PAGE = Engine().from_string("""<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>
{% if user.is_authenticated %}
<p id="user">{% firstof user.name user.sub %}</p>
<form method="post" action="/.sealring/sign-out"><button id="sign-out">Sign out</button></form>
{% else %}
<p><a id="sign-in" href="/.sealring/sign-in?next=/orders">Sign in</a></p>
{% endif %}
<p>{{ text }}</p></html>""")


def shop(request: HttpRequest) -> HttpResponse:
    """Show the shop to everybody."""
    return HttpResponse(PAGE.render(Context({"user": request.user, "text": "Lamps for everybody."})))


@login_required
def orders(request: HttpRequest) -> HttpResponse:
    """Show a person's orders."""
    text = f"Orders of {request.user.sub}: a lamp."
    return HttpResponse(PAGE.render(Context({"user": request.user, "text": text})))
