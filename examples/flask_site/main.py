"""A site of Flask on which people sign in: everybody may look at the shop, orders are seen by whoever is signed in."""

from flask import Flask, render_template_string
from flask.typing import ResponseReturnValue

from sealring_verify.integrations.flask_site import SealringLogin, current_user, login_required

app = Flask(__name__, static_folder=None)
# Fails here, with a sentence, where SEALRING_ISSUER, _CLIENT_ID, _CLIENT_SECRET or _SITE is missing or wrong.
login = SealringLogin(app, scope="openid profile email")

PAGE = """<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>
{% if current_user.is_authenticated %}
<p id="user">{{ current_user.name or current_user.sub }}</p>
<form method="post" action="/.sealring/sign-out"><button id="sign-out">Sign out</button></form>
{% else %}
<p><a id="sign-in" href="/.sealring/sign-in?next=/orders">Sign in</a></p>
{% endif %}
<p>{{ text }}</p></html>"""


@app.get("/")
def shop() -> ResponseReturnValue:
    """Show the shop to everybody."""
    return render_template_string(PAGE, text="Lamps for everybody.")


@app.get("/orders")
@login_required
def orders() -> ResponseReturnValue:
    """Show a person's orders."""
    return render_template_string(PAGE, text=f"Orders of {current_user.sub}: a lamp.")
