"""Who lives in the demo: ada, the API `orders`, the playground's client and the command line's."""

from pathlib import Path
from typing import TypeVar

import msgspec

from sealring.credentials.passphrase import generate_passphrase
from sealring.demo.folder import (
    API_KEY_FILE,
    AUDIENCE,
    CLIENT_SECRET_FILE,
    COMMAND_CLIENT,
    ORDERS_SCOPES,
    PAGE_CLIENT,
    PASSPHRASE_FILE,
    USERNAME,
    DemoProblem,
    read_secret,
    write_secret,
)
from sealring.protocol.api import SESSIONS_SCOPE
from sealring.protocol.api_registration import ApiRegistration
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client_registration import ClientRegistration
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret
from sealring.services.api import ApiNamed, add_api, rotate_api_secret
from sealring.services.client import ClientAdded, RotateClientSecret, add_client, rotate_client_secret
from sealring.services.desk import Desk
from sealring.services.user import SetPassword, hash_new_password, new_user, parse_login_names, set_password

_Outcome = TypeVar("_Outcome")
_ACTOR = "sealring"


class Residents(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever runs the demo must be told: ada's passphrase, and the secret of the API `orders`."""

    passphrase: str
    api_key: Secret

    def __repr__(self) -> str:
        return "Residents(…)"


async def settle_residents(desk: Desk, folder: Path) -> Residents:
    """Make whoever is missing and keep whoever is there; a start that was cut short is completed by the next one."""
    passphrase = await _settle_ada(desk, folder / PASSPHRASE_FILE)
    api_key = await _settle_orders(desk, folder / API_KEY_FILE)
    await _settle_page_client(desk)
    await _settle_command_client(desk, folder / CLIENT_SECRET_FILE)
    return Residents(passphrase=passphrase, api_key=Secret(api_key))


async def _settle_ada(desk: Desk, file: Path) -> str:
    names = _done(parse_login_names(username=USERNAME, email=None))
    if names.username is None:
        raise DemoProblem(f"{USERNAME!r} is no user name.")
    known = await desk.store.users.find_by_login(names.username.key)
    kept = read_secret(file)
    if known is not None and kept is not None:
        return kept
    passphrase = kept or generate_passphrase(randomness=desk.randomness)
    # Written first: a passphrase in the file and no user is mended by the next start, a user without it is locked out.
    write_secret(file, passphrase)
    if known is not None:
        await _change_password(desk, known.user.sub, passphrase)
        return passphrase
    user = msgspec.structs.replace(
        new_user(names, now=desk.clock(), randomness=desk.randomness, administrator=False),
        roles=("customer",),
        demo=True,
    )
    added = AuditEvent(
        event="user_added",
        at=user.created_at,
        actor=_ACTOR,
        sub=user.sub,
        details={"administrator": 0, "roles": "customer"},
        personal={"username": USERNAME},
    )
    hashed = await hash_new_password(Secret(passphrase), names.shown, hashing=desk.hashing, policy=desk.password_policy)
    await desk.store.users.add(
        user, username_key=names.username.key, email_key=None, password_hash=_done(hashed), events=[added]
    )
    return passphrase


async def _change_password(desk: Desk, sub: str, passphrase: str) -> None:
    changed = await set_password(
        SetPassword(user=f"sub:{sub}", password=Secret(passphrase)),
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        actor=_ACTOR,
    )
    _done(changed)


async def _settle_orders(desk: Desk, file: Path) -> str:
    known = await desk.store.apis.find(AUDIENCE)
    kept = read_secret(file)
    if known is not None and kept is not None:
        return kept
    if known is not None:
        named = ApiNamed(identifier=AUDIENCE)
        made = await rotate_api_secret(
            named, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=_ACTOR
        )
    else:
        registration = ApiRegistration(
            identifier=AUDIENCE,
            scopes=dict(zip(ORDERS_SCOPES, ("See orders", "Place orders"), strict=True)),
            claims=("roles",),
        )
        made = await add_api(
            registration, store=desk.store, keys=desk.keys, clock=desk.clock, randomness=desk.randomness, actor=_ACTOR
        )
    api_key = _done(made).api_key.reveal()
    write_secret(file, api_key)
    return api_key


async def _settle_page_client(desk: Desk) -> None:
    if await desk.store.clients.find(PAGE_CLIENT) is not None:
        return
    registration = ClientRegistration(
        client_id=PAGE_CLIENT,
        name="The playground",
        type="public",
        first_party=True,
        origins=(desk.issuer,),
        allowed={AUDIENCE: ORDERS_SCOPES, desk.issuer: (SESSIONS_SCOPE,)},
    )
    _done(await _add_client(registration, desk))


async def _settle_command_client(desk: Desk, file: Path) -> None:
    known = await desk.store.clients.find(COMMAND_CLIENT)
    if known is not None and read_secret(file) is not None:
        return
    if known is not None:
        named = RotateClientSecret(client_id=COMMAND_CLIENT)
        rotated = await rotate_client_secret(
            named, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=_ACTOR
        )
        write_secret(file, _done(rotated).client_secret.reveal())
        return
    registration = ClientRegistration(
        client_id=COMMAND_CLIENT,
        name="The command `sealring demo token`",
        type="confidential",
        first_party=True,
        allowed={AUDIENCE: ORDERS_SCOPES},
    )
    added = _done(await _add_client(registration, desk))
    if added.client_secret is not None:
        write_secret(file, added.client_secret.reveal())


async def _add_client(registration: ClientRegistration, desk: Desk) -> ClientAdded | OAuthError:
    return await add_client(
        registration,
        store=desk.store,
        issuer=desk.issuer,
        clock=desk.clock,
        randomness=desk.randomness,
        actor=_ACTOR,
    )


def _done(outcome: _Outcome | OAuthError) -> _Outcome:
    if isinstance(outcome, OAuthError):
        raise DemoProblem(f"The demo cannot be set up: {outcome.description}")
    return outcome
