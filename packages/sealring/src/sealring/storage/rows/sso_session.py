"""Rows of browser sessions."""

from typing import Any

import msgspec

from sealring.protocol.sso_session import SsoProof, SsoSession
from sealring.storage.rows.session import decode_texts


def sso_session_row(session: SsoSession, *, digest: bytes) -> dict[str, Any]:
    """Write a browser session as the values of its row."""
    return msgspec.structs.asdict(session) | {"digest": digest, "amr": _texts(session.amr)}


def proof_row(proof: SsoProof) -> dict[str, Any]:
    """Write a new proof as the values that PROVE_SSO_SESSION takes."""
    return msgspec.structs.asdict(proof) | {"amr": _texts(proof.amr)}


def sso_session_of(row: Any) -> SsoSession:  # noqa: ANN401 -- a row
    """Read what FIND_SSO_SESSION and its like return."""
    return SsoSession(
        id=row[0],
        sub=row[1],
        subject_epoch=row[2],
        auth_time=row[3],
        amr=decode_texts(row[4]),
        acr=row[5],
        created_at=row[6],
        last_used_at=row[7],
        idle_expires_at=row[8],
        absolute_expires_at=row[9],
        network=row[10],
        user_agent=row[11],
    )


def _texts(items: tuple[str, ...]) -> str:
    return msgspec.json.encode(items).decode()
