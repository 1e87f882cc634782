"""What an act of the operator is: its request's shape, and what is done with it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from sealring.protocol.errors import OAuthError
from sealring.protocol.json_object import MAXIMUM_BODY_BYTES
from sealring.services.acknowledgement import perform_and_wait
from sealring.services.desk import Desk

_Request = TypeVar("_Request", bound=msgspec.Struct)
Done = Awaitable[msgspec.Struct | OAuthError]


class NoMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request of an act that needs to be told nothing: `{}`."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """`request`: the shape of its JSON. `perform`: request, desk and actor in, a Struct or a refusal out."""

    request: type[msgspec.Struct]
    perform: Callable[[Any, Desk, str], Done]
    maximum_bytes: int = MAXIMUM_BODY_BYTES


def plain_act(request: type[_Request], perform: Callable[[_Request, Desk, str], Done]) -> Act:
    """Make an act of the usual size of a request."""
    return Act(request=request, perform=perform)


def ending_act(request: type[_Request], perform: Callable[[_Request, Desk, str], Done]) -> Act:
    """Make an act that ends something: it also says which APIs know of that, and waits briefly for their word."""

    async def perform_and_tell(request: _Request, desk: Desk, actor: str) -> msgspec.Struct | OAuthError:
        outcome, known = await perform_and_wait(
            lambda: perform(request, desk, actor),
            store=desk.store,
            readers=desk.readers,
            issuer=desk.issuer,
            now=desk.clock(),
        )
        return outcome if isinstance(outcome, OAuthError) else msgspec.structs.replace(outcome, known=known)

    return Act(request=request, perform=perform_and_tell)
