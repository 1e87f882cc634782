"""What PostgreSQL raises where the act that met it is not to blame."""

from typing import Final

import asyncpg

CONFLICTS: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Two transactions were in each other's way, and this one was undone: it is tried again."""

OUT_OF_REACH: Final = (
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.LockNotAvailableError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, a statement that took too long
    asyncpg.PostgresConnectionError,
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # has become a replica
    asyncpg.TargetServerAttributeNotMatched,
    OSError,
)
"""The database is gone, full or busy: nothing happened, and the act may be repeated later."""

CUT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,  # the connection is closed; also mistakes of ours, which are ValueErrors
    asyncpg.InternalClientError,  # the server has said goodbye, and the socket is not closed yet: nothing was asked
    ConnectionError,
)
"""This connection is of no more use; another one may be."""
