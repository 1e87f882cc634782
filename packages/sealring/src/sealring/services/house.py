"""Everything that the acts work with, joined once by `compose` and handed to the doors."""

import msgspec

from sealring.browser.page_style import PageStyle
from sealring.credentials.password_policy import PasswordPolicy
from sealring.ports import (
    ActivityStream,
    Clock,
    Outgoing,
    PasswordHashing,
    Randomness,
    ServiceClock,
    Signer,
    SignInLimit,
    Store,
    StoreUnavailable,
)
from sealring.protocol.instant import Seconds
from sealring.protocol.sso_session import SsoPolicy
from sealring.protocol.subject_identifier import PairwiseKey
from sealring.services.client_keys import ClientKeys
from sealring.services.client_logo import ClientLogos
from sealring.services.readiness import Readiness
from sealring.services.registration import RegistrationDesk
from sealring.services.report import ReportBoard
from sealring.services.revocation_feed import RevocationFeed
from sealring_verify.verified_tokens import VerifiedTokens

__all__ = ["House", "StoreUnavailable"]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """The ports in their places. `activity`: None where ordinary acts are told to nobody.

    `frontchannel_logout`: whether log-out pages load those of clients. `registration`: None where clients do not
    register themselves. `checked_tokens`: signatures that held, so that a token that is asked about again costs its
    rows alone. `readiness`: whether this node may serve, which its upkeep keeps.
    """

    issuer: str
    store: Store
    signer: Signer
    hashing: PasswordHashing
    limit: SignInLimit
    clock: Clock
    service_clock: ServiceClock
    randomness: Randomness
    password_policy: PasswordPolicy
    readiness: Readiness
    feed: RevocationFeed
    reports: ReportBoard
    key_set_life: Seconds
    checked_tokens: VerifiedTokens
    pairwise_key: PairwiseKey
    client_logos: ClientLogos
    outgoing: Outgoing
    client_keys: ClientKeys
    sso_policy: SsoPolicy
    page_style: PageStyle
    frontchannel_logout: bool = False
    activity: ActivityStream | None = None
    registration: RegistrationDesk | None = None

    @property
    def halted(self) -> bool:
        """True where the store is not the one that this node knew (SECURITY A9): no tokens."""
        return self.readiness.halted
