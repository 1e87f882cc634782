"""Rows of sessions and refresh families."""

from typing import Any

import msgspec

from sealring.ports import NewSession, Session, SessionGrant
from sealring.protocol.refresh_token import RefreshFamily
from sealring.protocol.user import Subject


def session_row(session: NewSession) -> dict[str, Any]:
    """Write a new session as the values of its row."""
    row = msgspec.structs.asdict(session)
    # The row of a session is its own outbox: due as soon as the session has ended.
    row["logout_due_at"] = 0 if row.pop("backchannel_logout") else None
    return row | {
        "scope": words(session.scope),
        "resources": words(session.resources),
        "amr": msgspec.json.encode(session.amr).decode(),
        "claims": text_of(session.claims),
        "requested_claims": text_of(session.requested_claims),
    }


def text_of(octets: bytes | None) -> str | None:
    """Write JSON as a column has it."""
    return None if octets is None else octets.decode()


def octets_of(text: str | None) -> bytes | None:
    """Read JSON as a column has it."""
    return None if text is None else text.encode()


def words(items: frozenset[str]) -> str:
    """Write a set as a JSON array in one order."""
    return msgspec.json.encode(sorted(items)).decode()


decode_words = msgspec.json.Decoder(frozenset[str]).decode
decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_claims = msgspec.json.Decoder(dict[str, object]).decode


def grant_of(row: Any) -> SessionGrant:  # noqa: ANN401 -- a row
    """Read what ADVANCE_FAMILY and its like return."""
    sub, sid, generation, mac_key_id, scope, resource, auth_time, amr, claims, *code_flow = row
    sso_id, acr, requested_claims, roles, user_claims, epoch = code_flow
    return SessionGrant(
        sid=sid,
        generation=generation,
        mac_key_id=mac_key_id,
        scope=decode_words(scope),
        resource=resource,
        auth_time=auth_time,
        amr=decode_texts(amr),
        claims=octets_of(claims),
        sso_id=sso_id,
        acr=acr,
        requested_claims=octets_of(requested_claims),
        subject=Subject(sub=sub, roles=decode_texts(roles), claims=_decode_claims(user_claims), epoch=epoch),
    )


def family_of(row: Any) -> RefreshFamily:  # noqa: ANN401 -- a row
    """Read what FIND_FAMILY returns."""
    return RefreshFamily(
        key=row[0],
        sid=row[1],
        sub=row[2],
        client_id=row[3],
        generation=row[4],
        mac_key_id=row[5],
        scope=decode_words(row[6]),
        resource=row[7],
        resources=decode_words(row[8]),
        created_at=row[9],
        idle_expires_at=row[10],
        absolute_expires_at=row[11],
        rotated=(row[12], row[13], row[14], row[15]),
        repeats=row[16],
        shared_generation=row[17],
        binding_digest=row[18],
        network=row[19],
        user_agent=row[20],
        subject_epoch=row[21],
        granted_client_epoch=row[22],
        user_epoch=row[23],
        client_epoch=row[24],
        ended_at=row[25],
        ended_reason=row[26],
    )


def session_of(row: Any) -> Session:  # noqa: ANN401 -- a row
    """Read what FIND_LIVE and its like return."""
    return Session(
        sid=row[0],
        sub=row[1],
        client_id=row[2],
        scope=decode_words(row[3]),
        resource=row[4],
        created_at=row[5],
        last_used_at=row[6],
        expires_at=row[7],
        network=row[8],
        user_agent=row[9],
        refreshes=row[10],
        auth_time=row[11],
        amr=decode_texts(row[12]),
        claims=octets_of(row[13]),
        sso_id=row[14],
        acr=row[15],
        requested_claims=octets_of(row[16]),
    )
