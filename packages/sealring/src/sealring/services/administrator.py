"""Administrators by one-use links (SECURITY D8): the secret stands in the link's fragment, which reaches no log."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256

import msgspec

from sealring.credentials.password_policy import PasswordPolicy
from sealring.ports import Clock, PasswordHashing, Randomness, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, later
from sealring.protocol.secret import Secret
from sealring.protocol.user import User
from sealring.services.user import hash_new_password, new_user, parse_login_names

LINK_LIFETIME = 15 * 60  # seconds
_LINK_SECRET = re.compile(r"slk_[A-Za-z0-9_-]{43}")


class AdministratorLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that makes one administrator before `expires_at`. It is the secret: shown once, stored as SHA-256."""

    url: Secret
    expires_at: Instant


class EnrollAdministrator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page behind the link sends: the fragment's secret, a name and a password."""

    link_secret: Secret
    username: str | None = None
    email: str | None = None
    password: Secret


async def make_administrator_link(
    *, store: Store, issuer: str, clock: Clock, randomness: Randomness, actor: str
) -> AdministratorLink:
    """Make a link of 256 random bits that is good once, for 15 minutes."""
    secret = "slk_" + urlsafe_b64encode(randomness(32)).rstrip(b"=").decode()
    now = clock()
    expires_at = later(now, LINK_LIFETIME)
    event = AuditEvent(event="administrator_link_made", at=now, actor=actor)
    await store.users.add_link(_digest(secret), expires_at=expires_at, events=[event])
    return AdministratorLink(url=Secret(f"{issuer}/admin/enroll#{secret}"), expires_at=expires_at)


async def enroll_administrator(
    request: EnrollAdministrator,
    *,
    store: Store,
    hashing: PasswordHashing,
    password_policy: PasswordPolicy,
    clock: Clock,
    randomness: Randomness,
) -> User | OAuthError:
    """Spend a link and add its administrator in one act; a name that is taken leaves the link good.

    The actor of the event is the new administrator: whoever holds the link is who it was made for.
    """
    if not _LINK_SECRET.fullmatch(request.link_secret.reveal()):
        return refuse("link_refused")
    names = parse_login_names(username=request.username, email=request.email)
    if isinstance(names, OAuthError):
        return names
    hashed = await hash_new_password(request.password, names.shown, hashing=hashing, policy=password_policy)
    if isinstance(hashed, OAuthError):
        return hashed
    now = clock()
    user = new_user(names, now=now, randomness=randomness, administrator=True)
    event = AuditEvent(event="administrator_enrolled", at=now, actor=f"user:{user.sub}", sub=user.sub)
    spent = await store.users.spend_link(
        _digest(request.link_secret.reveal()),
        user=user,
        username_key=None if names.username is None else names.username.key,
        email_key=None if names.email is None else names.email.key,
        password_hash=hashed,
        now=now,
        events=[event],
    )
    if spent is None:
        return refuse("link_refused")
    return user if spent else refuse("login_name_taken")


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
