"""Where the input of a connection stands."""

from enum import Enum

from sealring.protocol.errors import OAuthError


class Reading(Enum):
    """What a connection's input is in the middle of; the first two have a deadline each, IDLE and LINGER a limit."""

    HEAD = "head"
    BODY = "body"
    IDLE = "idle"
    DEAF = "deaf"  # what comes is discarded until the answers under way are out
    LINGER = "linger"  # our side is shut; what comes is discarded until the client closes, or a deadline


class ReadingStopped(Exception):  # noqa: N818 - no error: it ends the parser's work from inside a callback
    """The parser goes no further; `refusal`: what the client is told, None: nothing."""

    def __init__(self, refusal: OAuthError | None) -> None:
        super().__init__()
        self.refusal = refusal
