"""Django's settings. Nobody signs in here, so there is no table of users, and no session."""

ROOT_URLCONF = "urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
USE_TZ = True
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tokens.Authentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tokens.GoodToken"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
