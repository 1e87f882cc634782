"""Django's settings. A site that takes nothing but tokens needs neither sessions nor CsrfViewMiddleware."""

ROOT_URLCONF = "urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "tokens.middleware"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
USE_TZ = True
