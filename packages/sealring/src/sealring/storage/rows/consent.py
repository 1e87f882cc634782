"""Rows of consents."""

from typing import Any

import msgspec

from sealring.protocol.consent import Consent
from sealring.storage.rows.session import decode_words, words


def consent_row(consent: Consent) -> dict[str, Any]:
    """Write a consent as the values of its row."""
    return msgspec.structs.asdict(consent) | {"scope": words(consent.scope), "resources": words(consent.resources)}


def consent_of(row: Any) -> Consent:  # noqa: ANN401 -- a row
    """Read what FIND_CONSENT and its like return."""
    return Consent(
        sub=row[0],
        client_id=row[1],
        redirect_uri=row[2],
        scope=decode_words(row[3]),
        resources=decode_words(row[4]),
        metadata_digest=row[5],
        granted_at=row[6],
    )
