"""What the services need from outside: stores, signing, hashing, limits, clocks and dice.

A seam is a Protocol with two real implementations, or with a test that needs it. May import `protocol`, `credentials`.
"""

from sealring.ports.activity import ActivityStream
from sealring.ports.client_assertion import ClientAssertionStore
from sealring.ports.clock import (
    Clock,
    ServiceClock,
)
from sealring.ports.code_flow import (
    AuthorizationCodeStore,
    ConsentStore,
    EndedSession,
    LogoutNotice,
    LogoutNoticeStore,
    SsoSessionStore,
)
from sealring.ports.initial_access_token import InitialAccessTokenStore
from sealring.ports.key import (
    KeyChange,
    KeyStock,
    KeyStore,
)
from sealring.ports.lease import LeaseStore
from sealring.ports.master_key import (
    MasterKeyChange,
    MasterKeyKeeper,
    MasterKeyPlaced,
    MasterKeyRefusal,
)
from sealring.ports.outgoing import Outgoing, OutgoingAnswer, OutgoingFailed
from sealring.ports.revocation import (
    FeedGap,
    FeedHead,
    FeedPage,
    FeedSnapshot,
    RevocationStore,
)
from sealring.ports.session import (
    NewSession,
    Session,
    SessionGrant,
    SessionStore,
)
from sealring.ports.sign_in import (
    HashingBusy,
    Limited,
    PasswordHashing,
    RegistrationLimit,
    SignInLimit,
)
from sealring.ports.signer import (
    ForgedSecret,
    KeyForge,
    MacKey,
    Signer,
)
from sealring.ports.store import (
    ApiStore,
    AuditStore,
    ClientStore,
    Registering,
    Store,
    StoreUnavailable,
)
from sealring.ports.store_state import (
    StateStore,
    StoreIdentity,
)
from sealring.ports.user import (
    RenewedSession,
    UserStore,
)
from sealring.protocol.secret import Randomness

__all__ = [
    "ActivityStream",
    "ApiStore",
    "AuditStore",
    "AuthorizationCodeStore",
    "ClientAssertionStore",
    "ClientStore",
    "Clock",
    "ConsentStore",
    "EndedSession",
    "FeedGap",
    "FeedHead",
    "FeedPage",
    "FeedSnapshot",
    "ForgedSecret",
    "HashingBusy",
    "InitialAccessTokenStore",
    "KeyChange",
    "KeyForge",
    "KeyStock",
    "KeyStore",
    "LeaseStore",
    "Limited",
    "LogoutNotice",
    "LogoutNoticeStore",
    "MacKey",
    "MasterKeyChange",
    "MasterKeyKeeper",
    "MasterKeyPlaced",
    "MasterKeyRefusal",
    "NewSession",
    "Outgoing",
    "OutgoingAnswer",
    "OutgoingFailed",
    "PasswordHashing",
    "Randomness",
    "Registering",
    "RegistrationLimit",
    "RenewedSession",
    "RevocationStore",
    "ServiceClock",
    "Session",
    "SessionGrant",
    "SessionStore",
    "SignInLimit",
    "Signer",
    "SsoSessionStore",
    "StateStore",
    "Store",
    "StoreIdentity",
    "StoreUnavailable",
    "UserStore",
]
