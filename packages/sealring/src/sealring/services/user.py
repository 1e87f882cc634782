"""The operator's acts on people: add, find, disable, delete, passwords, roles, claims.

`user` in a request is a `sub` or a login name; `sub:` in front says that it is a `sub`.
"""

from collections.abc import Mapping

import msgspec

from sealring.credentials.login_name import EmailAddress, LoginNameRefused, Username, parse_email, parse_username
from sealring.credentials.login_name import parse_login_name as _parse_login_name
from sealring.credentials.password_policy import PasswordPolicy, PasswordRefused, judge_password
from sealring.ports import Clock, HashingBusy, PasswordHashing, Randomness, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.secret import Secret
from sealring.protocol.user import User
from sealring.protocol.user_registration import parse_custom_claims, parse_roles
from sealring.services.acknowledgement import ApiKnowledge

_SUB_OCTETS = 16


class AddUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user to be added, with a user name, an e-mail address or both; without a password nobody signs in yet."""

    username: str | None = None
    email: str | None = None
    password: Secret | None
    roles: tuple[str, ...] = ()
    claims: Mapping[str, object] = {}
    administrator: bool = False


class UserNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which user an act is about."""

    user: str


class ListUsers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of users: those after the sub `after`, at most `limit` (1 to 1000)."""

    after: str | None = None
    limit: int = 100


class SetPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password, by the operator's word."""

    user: str
    password: Secret


class SetRoles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All roles that a user shall have."""

    user: str
    roles: tuple[str, ...]


class SetClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All custom claims that a user shall have."""

    user: str
    claims: Mapping[str, object]


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """Users in the order of their sub. `more`: there may be others after the last."""

    users: tuple[User, ...]
    more: bool


class UserEnded(msgspec.Struct, frozen=True, kw_only=True):
    """Whose sessions an act ended; `sessions`: how many lived, None where they were not counted. `known`: by whom."""

    sub: str
    sessions: int | None
    known: tuple[ApiKnowledge, ...] = ()


class LoginNames(msgspec.Struct, frozen=True, kw_only=True):
    """What a person signs in with; one of the two at least."""

    username: Username | None
    email: EmailAddress | None

    @property
    def shown(self) -> tuple[str, ...]:
        """The names as their owner writes them."""
        return tuple(name.shown for name in (self.username, self.email) if name is not None)


async def add_user(
    request: AddUser,
    *,
    store: Store,
    hashing: PasswordHashing,
    password_policy: PasswordPolicy,
    clock: Clock,
    randomness: Randomness,
    actor: str,
) -> User | OAuthError:
    """Add a user under a fresh random `sub` of 22 characters; names, roles, claims and password are judged first."""
    names = parse_login_names(username=request.username, email=request.email)
    if isinstance(names, OAuthError):
        return names
    user = new_user(names, now=clock(), randomness=randomness, administrator=request.administrator)
    roles, claims = parse_roles(request.roles), parse_custom_claims(request.claims)
    if isinstance(roles, OAuthError):
        return roles
    if isinstance(claims, OAuthError):
        return claims
    password_hash = None
    if request.password is not None:
        hashed = await hash_new_password(request.password, names.shown, hashing=hashing, policy=password_policy)
        if isinstance(hashed, OAuthError):
            return hashed
        password_hash = hashed
    user = msgspec.structs.replace(user, roles=roles, claims=request.claims)
    added = await store.users.add(
        user,
        username_key=None if names.username is None else names.username.key,
        email_key=None if names.email is None else names.email.key,
        password_hash=password_hash,
        events=[_added(user, actor=actor)],
    )
    return user if added else refuse("login_name_taken")


async def find_user(name: str, *, store: Store) -> User | OAuthError:
    """Find a user by `sub` or login name; a text that is the sub of one and the name of another is refused."""
    if name.startswith("sub:"):
        return await store.users.find(name.removeprefix("sub:")) or refuse("unknown_user")
    by_sub = await store.users.find(name)
    login_name = _parse_login_name(name)
    found = None if isinstance(login_name, LoginNameRefused) else await store.users.find_by_login(login_name.key)
    by_login = None if found is None else found.user
    if by_sub is not None and by_login is not None and by_sub.sub != by_login.sub:
        # Asserted subjects may have any name: never let one stand in for the other.
        return refuse("ambiguous_user", description="Name the user by its sub, with sub: in front.")
    return by_sub or by_login or refuse("unknown_user")


async def list_users(request: ListUsers, *, store: Store) -> UserList | OAuthError:
    """List a page of users."""
    if not 1 <= request.limit <= 1000:
        return refuse("invalid_parameter", description="The limit is 1 to 1000.")
    users = await store.users.list_all(after=request.after, limit=request.limit)
    return UserList(users=users, more=len(users) == request.limit)


async def set_user_disabled(
    request: UserNamed, *, disabled: bool, store: Store, clock: Clock, actor: str
) -> UserEnded | OAuthError:
    """Disable a user (the epoch rises, the sessions end), or enable one again."""
    user = await find_user(request.user, store=store)
    if isinstance(user, OAuthError):
        return user
    now = clock()
    event = _event("user_disabled" if disabled else "user_enabled", user, actor=actor, now=now)
    ended = await store.users.set_disabled(user.sub, disabled=disabled, now=now, events=[event])
    return refuse("unknown_user") if ended is None else UserEnded(sub=user.sub, sessions=ended)


async def delete_user(request: UserNamed, *, store: Store, clock: Clock, actor: str) -> UserEnded | OAuthError:
    """Delete a user: sessions end, names and the personal part of the audit go, the `sub` is never given again."""
    user = await find_user(request.user, store=store)
    if isinstance(user, OAuthError):
        return user
    now = clock()
    ended = await store.users.delete(user.sub, now=now, events=[_event("user_deleted", user, actor=actor, now=now)])
    return refuse("unknown_user") if ended is None else UserEnded(sub=user.sub, sessions=ended)


async def set_password(
    request: SetPassword,
    *,
    store: Store,
    hashing: PasswordHashing,
    password_policy: PasswordPolicy,
    clock: Clock,
    actor: str,
) -> UserEnded | OAuthError:
    """Set a user's password: the epoch rises and all sessions end."""
    user = await find_user(request.user, store=store)
    if isinstance(user, OAuthError):
        return user
    names = tuple(name for name in (user.username, user.email) if name is not None)
    if not names:
        return refuse("invalid_login_name", description="This subject has no login name, so no password serves it.")
    hashed = await hash_new_password(request.password, names, hashing=hashing, policy=password_policy)
    if isinstance(hashed, OAuthError):
        return hashed
    now = clock()
    event = _event("password_changed", user, actor=actor, now=now)
    epoch = await store.users.set_password(
        user.sub, password_hash=hashed, proven_epoch=None, keep=None, now=now, events=[event]
    )
    return refuse("unknown_user") if epoch is None else UserEnded(sub=user.sub, sessions=None)


async def set_roles(request: SetRoles, *, store: Store, clock: Clock, actor: str) -> User | OAuthError:
    """Replace a user's roles; tokens tell them from the next refresh on."""
    user, roles = await find_user(request.user, store=store), parse_roles(request.roles)
    if isinstance(user, OAuthError):
        return user
    if isinstance(roles, OAuthError):
        return roles
    event = _event("user_changed", user, actor=actor, now=clock(), roles=" ".join(roles))
    done = await store.users.set_roles(user.sub, roles, events=[event])
    return msgspec.structs.replace(user, roles=roles) if done else refuse("unknown_user")


async def set_claims(request: SetClaims, *, store: Store, clock: Clock, actor: str) -> User | OAuthError:
    """Replace a user's custom claims; tokens tell them from the next refresh on."""
    user, claims = await find_user(request.user, store=store), parse_custom_claims(request.claims)
    if isinstance(user, OAuthError):
        return user
    if isinstance(claims, OAuthError):
        return claims
    event = _event("user_changed", user, actor=actor, now=clock(), claims=" ".join(sorted(request.claims)))
    done = await store.users.set_claims(user.sub, claims, events=[event])
    return msgspec.structs.replace(user, claims=request.claims) if done else refuse("unknown_user")


def parse_login_names(*, username: str | None, email: str | None) -> LoginNames | OAuthError:
    """Read the names of a new user: one of the two at least."""
    if username is None and email is None:
        return refuse("invalid_login_name", description="A user needs a user name, an e-mail address or both.")
    names = LoginNames(username=None, email=None)
    if username is not None:
        parsed = parse_username(username)
        if isinstance(parsed, LoginNameRefused):
            return refuse("invalid_login_name", description=parsed.sentence)
        names = msgspec.structs.replace(names, username=parsed)
    if email is not None:
        address = parse_email(email)
        if isinstance(address, LoginNameRefused):
            return refuse("invalid_login_name", description=address.sentence)
        names = msgspec.structs.replace(names, email=address)
    return names


def new_user(names: LoginNames, *, now: Instant, randomness: Randomness, administrator: bool) -> User:
    """Make the record of a new user under a random `sub`; the first epoch is the time in seconds."""
    return User(
        sub=make_opaque_id(_SUB_OCTETS, randomness=randomness),
        username=None if names.username is None else names.username.shown,
        email=None if names.email is None else names.email.shown,
        claims={},
        administrator=administrator,
        epoch=now // 1000,
        created_at=now,
    )


async def hash_new_password(
    password: Secret,
    login_names: tuple[str, ...],
    *,
    hashing: PasswordHashing,
    policy: PasswordPolicy,
    known_device: bool = False,
) -> str | OAuthError:
    """Judge a password that is to be set, and hash it (a PHC string). `known_device`: keeps its place in the queue."""
    judged = judge_password(password.reveal(), policy=policy, second_factor=False, login_names=login_names)
    if isinstance(judged, PasswordRefused):
        return refuse("password_refused", description=judged.sentence)
    hashed = await hashing.hash(judged.prepared, known_device=known_device)
    return refuse("sign_in_busy", retry_after=1) if isinstance(hashed, HashingBusy) else hashed


def _added(user: User, *, actor: str) -> AuditEvent:
    names = {"username": user.username, "email": user.email}
    return AuditEvent(
        event="user_added",
        at=user.created_at,
        actor=actor,
        sub=user.sub,
        details={"administrator": int(user.administrator), "roles": " ".join(user.roles)},
        personal={kind: name for kind, name in names.items() if name is not None},
    )


def _event(event: str, user: User, *, actor: str, now: Instant, **details: str) -> AuditEvent:
    return AuditEvent(event=event, at=now, actor=actor, sub=user.sub, details=details)
