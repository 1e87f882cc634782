"""Whom a client knows a person as (OpenID Connect Core §8): by the one `sub`, or by one of its sector's own."""

import hmac
from base64 import urlsafe_b64encode

import msgspec

from sealring.protocol.client import Client

SUBJECT_TYPES = ("public", "pairwise")


class PairwiseKey(msgspec.Struct, frozen=True):
    """The key of pairwise subjects, 32 octets. It never turns: each person would become another one."""

    octets: bytes

    def __repr__(self) -> str:
        return "PairwiseKey(…)"


def subject_identifier(sub: str, client: Client, *, key: PairwiseKey) -> str:
    """Return the `sub` that ID tokens, userinfo and logout tokens name to a client.

    A pairwise one is a MAC over sector and person: two sectors cannot find out that they know the same one.
    """
    sector = None if client.code_flow is None else client.code_flow.sector_identifier
    if sector is None:
        return sub
    # A NUL stands in no host, so no two pairs share one encoding.
    mac = hmac.digest(key.octets, sector.encode() + b"\x00" + sub.encode(), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()
