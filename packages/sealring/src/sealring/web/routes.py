"""The one table of what answers where. Paths are below the issuer's own path, if it has one."""

from collections.abc import Mapping
from types import MappingProxyType

from sealring.web.endpoints.discovery import (
    get_authorization_server,
    get_feed_jwks,
    get_healthz,
    get_jwks,
    get_readyz,
)
from sealring.web.endpoints.gate import any_gate, get_gate
from sealring.web.endpoints.introspect import post_introspect
from sealring.web.endpoints.password import put_password
from sealring.web.endpoints.register import (
    delete_client_registration,
    get_registration,
    post_register,
    put_registration,
)
from sealring.web.endpoints.revocations import get_revocations, get_snapshot, post_reports
from sealring.web.endpoints.revoke import post_revoke
from sealring.web.endpoints.session import delete_session, post_session, post_session_refresh
from sealring.web.endpoints.sessions import (
    delete_one_session,
    delete_sessions,
    get_sessions,
    post_subject_revoke,
)
from sealring.web.endpoints.token import post_token
from sealring.web.endpoints.userinfo import get_userinfo, post_userinfo
from sealring.web.exchange import Endpoint
from sealring.web.pages.account import get_account, post_account
from sealring.web.pages.admin_enroll import get_admin_enroll, post_admin_enroll
from sealring.web.pages.authorization import get_authorize, post_authorize
from sealring.web.pages.client_logo import get_client_logo
from sealring.web.pages.consent import get_consent, post_consent
from sealring.web.pages.gate import get_gate_callback, get_gate_login, get_gate_logout
from sealring.web.pages.inspect import get_inspect
from sealring.web.pages.login import get_login, post_login
from sealring.web.pages.logout import get_logged_out, get_logout, post_logout
from sealring.web.pages.static import get_static
from sealring.web.pages.style import get_logo, get_style

Methods = Mapping[str, Endpoint]

ROUTES: Mapping[str, Methods] = MappingProxyType(
    {
        "/authorize": {"GET": get_authorize, "POST": post_authorize},
        "/login": {"GET": get_login, "POST": post_login},
        "/consent": {"GET": get_consent, "POST": post_consent},
        "/account": {"GET": get_account, "POST": post_account},
        "/logout": {"GET": get_logout, "POST": post_logout},
        "/logged-out": {"GET": get_logged_out},
        "/token": {"POST": post_token},
        "/revoke": {"POST": post_revoke},
        "/session": {"POST": post_session, "DELETE": delete_session},
        "/session/refresh": {"POST": post_session_refresh},
        "/sessions": {"GET": get_sessions, "DELETE": delete_sessions},
        "/sessions/{sid}": {"DELETE": delete_one_session},
        "/subjects/{sub}/revoke": {"POST": post_subject_revoke},
        "/password": {"PUT": put_password},
        "/introspect": {"POST": post_introspect},
        # OpenID Connect Discovery §4: behind the issuer's path.
        "/.well-known/openid-configuration": {"GET": get_authorization_server},
        "/userinfo": {"GET": get_userinfo, "POST": post_userinfo},
        "/register": {"POST": post_register},
        "/register/{client_id}": {
            "GET": get_registration,
            "PUT": put_registration,
            "DELETE": delete_client_registration,
        },
        "/jwks": {"GET": get_jwks},
        "/revocations": {"GET": get_revocations},
        "/revocations/snapshot": {"GET": get_snapshot},
        "/revocations/jwks": {"GET": get_feed_jwks},
        "/reports": {"POST": post_reports},
        "/healthz": {"GET": get_healthz},
        "/readyz": {"GET": get_readyz},
        "/gate": {"GET": get_gate},
        "/gate/{host}/{scope}/{target*}": dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), any_gate),
        "/admin/enroll": {"GET": get_admin_enroll, "POST": post_admin_enroll},
        "/inspect": {"GET": get_inspect},
        "/static/style.css": {"GET": get_style},
        "/static/logo": {"GET": get_logo},
        "/client-logo/{client_id}": {"GET": get_client_logo},
        "/static/{name}": {"GET": get_static},
    }
)

WELL_KNOWN: Mapping[str, Methods] = MappingProxyType(
    # RFC 8414 §3.1: between the host and the issuer's path.
    {"/.well-known/oauth-authorization-server": {"GET": get_authorization_server}}
)

GATED: Mapping[str, Methods] = MappingProxyType(
    {
        "/.sealring/login": {"GET": get_gate_login},
        "/.sealring/callback": {"GET": get_gate_callback},
        "/.sealring/logout": {"GET": get_gate_logout},
        "/.sealring/static/style.css": {"GET": get_style},
        "/.sealring/static/logo": {"GET": get_logo},
        "/.sealring/static/{name}": {"GET": get_static},
    }
)
"""Paths at the root of gated hosts."""

CROSS_ORIGIN = frozenset(
    {"/token", "/revoke", "/userinfo", "/session", "/session/refresh", "/sessions", "/sessions/{sid}", "/password"}
)
"""Paths that pages of registered origins may call."""

OF_PROXIES = frozenset({"/gate", "/gate/{host}/{scope}/{target*}"})
"""Paths that proxies ask for, which know a refusal by 401 or 403 alone."""

ANY_HOST = frozenset({"/healthz", "/readyz", *OF_PROXIES, *GATED})
"""Paths that probes ask for by address, and those of gated hosts, which are looked up among the registered ones."""

HASHING = frozenset({"/session", "/password", "/login", "/account", "/admin/enroll"})
"""Paths whose work waits for the hashing threads, and is given up when the caller goes away."""

DIRECT = frozenset({"/token", "/introspect", "/revoke", "/session/refresh"})
"""Paths that are asked for again and again by the same head, and whose answers come whole."""
