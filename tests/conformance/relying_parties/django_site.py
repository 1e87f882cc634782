"""A site of Django that signs people in by mozilla-django-oidc: `django_site.py PORT ISSUER CLIENT_ID SECRET FILE`."""

import secrets
import sys
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

import requests
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

port, issuer, client_id, secret, file = sys.argv[1:]
metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
home = f"http://localhost:{port}/"

settings.configure(
    SECRET_KEY=secrets.token_urlsafe(40),
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "mozilla_django_oidc",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "mozilla_django_oidc.middleware.SessionRefresh",
    ],
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    LOGIN_REDIRECT_URL=home,
    LOGOUT_REDIRECT_URL=home,
    ALLOW_LOGOUT_GET_METHOD=True,
    OIDC_OP_AUTHORIZATION_ENDPOINT=metadata["authorization_endpoint"],
    OIDC_OP_TOKEN_ENDPOINT=metadata["token_endpoint"],
    OIDC_OP_USER_ENDPOINT=metadata["userinfo_endpoint"],
    OIDC_OP_JWKS_ENDPOINT=metadata["jwks_uri"],
    OIDC_OP_LOGOUT_URL_METHOD="__main__.log_out_at_the_provider",
    OIDC_RP_CLIENT_ID=client_id,
    OIDC_RP_CLIENT_SECRET=secret,
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_RP_SCOPES="openid email profile",
    OIDC_TOKEN_USE_BASIC_AUTH=True,
    OIDC_USE_PKCE=True,
    OIDC_STORE_ID_TOKEN=True,
    OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS=2,
)


def show_person(request: HttpRequest) -> JsonResponse:
    renewed = request.session.get("oidc_id_token_expiration")
    return JsonResponse({"email": getattr(request.user, "email", None), "renew_after": renewed})


def log_out_at_the_provider(request: HttpRequest) -> str:
    asked = {"id_token_hint": request.session["oidc_id_token"], "post_logout_redirect_uri": home}
    return f"{metadata['end_session_endpoint']}?{urlencode(asked)}"


urlpatterns = [path("", show_person), path("oidc/", include("mozilla_django_oidc.urls"))]


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Standard error is for what goes wrong."""


if __name__ == "__main__":
    application = get_wsgi_application()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with make_server("localhost", int(port), application, handler_class=Silent) as server:
        print("listening", flush=True)  # noqa: T201 -- whoever started it waits for this line
        server.serve_forever()
