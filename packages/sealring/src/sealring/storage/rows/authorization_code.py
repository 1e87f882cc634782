"""Rows of authorization codes."""

from typing import Any

import msgspec

from sealring.protocol.authorization_code import AuthorizationCode, PresentedCode
from sealring.storage.rows.session import decode_texts, decode_words, octets_of, text_of, words


def code_row(code: AuthorizationCode) -> dict[str, Any]:
    """Write a code as the values of its row."""
    return msgspec.structs.asdict(code) | {
        "scope": words(code.scope),
        "amr": msgspec.json.encode(code.amr).decode(),
        "requested_claims": text_of(code.requested_claims),
    }


def presented_code_of(row: Any) -> PresentedCode:  # noqa: ANN401 -- a row
    """Read what FIND_CODE returns."""
    code = AuthorizationCode(
        digest=row[0],
        client_id=row[1],
        redirect_uri=row[2],
        code_challenge=row[3],
        sub=row[4],
        subject_epoch=row[5],
        client_epoch=row[6],
        sso_id=row[7],
        scope=decode_words(row[8]),
        resource=row[9],
        nonce=row[10],
        requested_claims=octets_of(row[11]),
        auth_time=row[12],
        amr=decode_texts(row[13]),
        acr=row[14],
        created_at=row[15],
        expires_at=row[16],
    )
    return PresentedCode(code=code, spent_at=row[17], sid=row[18], stands=bool(row[19]))
