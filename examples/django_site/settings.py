"""The settings of a small site: no database, sign-in by Sealring."""

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for trying it out")
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "urls"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "sealring_verify.integrations.django_site.SealringMiddleware",
]
# What is not here is read from SEALRING_ISSUER, SEALRING_CLIENT_ID, SEALRING_CLIENT_SECRET and SEALRING_SITE.
SEALRING_LOGIN = {"scope": "openid profile email"}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
