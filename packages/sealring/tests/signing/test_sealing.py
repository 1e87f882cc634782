import itertools
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.signing.master_key import MasterKey
from sealring.signing.sealing import (
    SealBroken,
    SealingContext,
    derive,
    seal,
    sealing_key_id,
    unseal,
)

KEY = MasterKey(bytes(range(32)))
CONTEXT = SealingContext(
    issuer="https://id.example", table="signing_keys", row_id="7", kid="k-1", alg="ES256", purpose="signing"
)
contexts = st.builds(
    SealingContext,
    **{name: st.text(alphabet="ab1|,\0", max_size=3) for name in SealingContext.__struct_fields__},
)


@given(plaintext=st.binary(max_size=200), context=contexts)
def test_what_is_sealed_opens_in_its_place(plaintext: bytes, context: SealingContext) -> None:
    sealed = seal(KEY, plaintext, context=context, randomness=os.urandom)
    assert unseal(KEY, sealed, context=context) == plaintext
    assert len(sealed) == len(plaintext) + 33


@given(sealed_for=contexts, opened_for=contexts)
def test_a_sealed_value_opens_in_no_other_place(sealed_for: SealingContext, opened_for: SealingContext) -> None:
    sealed = seal(KEY, b"secret", context=sealed_for, randomness=os.urandom)
    if sealed_for == opened_for:
        assert unseal(KEY, sealed, context=opened_for) == b"secret"
    else:
        with pytest.raises(SealBroken):
            unseal(KEY, sealed, context=opened_for)


@pytest.mark.parametrize("field", SealingContext.__struct_fields__)
def test_each_field_of_the_context_is_authenticated(field: str) -> None:
    sealed = seal(KEY, b"secret", context=CONTEXT, randomness=os.urandom)
    other = msgspec.structs.replace(CONTEXT, **{field: getattr(CONTEXT, field) + "x"})
    with pytest.raises(SealBroken):
        unseal(KEY, sealed, context=other)


def test_every_changed_bit_is_noticed() -> None:
    sealed = seal(KEY, b"secret", context=CONTEXT, randomness=os.urandom)
    for position, bit in itertools.product(range(len(sealed)), range(8)):
        changed = bytearray(sealed)
        changed[position] ^= 1 << bit
        with pytest.raises(SealBroken):
            unseal(KEY, bytes(changed), context=CONTEXT)


@given(garbage=st.binary(max_size=64))
def test_garbage_is_no_sealed_value(garbage: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, garbage, context=CONTEXT)


def test_another_master_key_is_named_by_its_id_alone() -> None:
    other = MasterKey(bytes(32))
    sealed = seal(other, b"secret", context=CONTEXT, randomness=os.urandom)
    with pytest.raises(SealBroken, match=f"sealed under master key {other.id}, but master key {KEY.id} was loaded"):
        unseal(KEY, sealed, context=CONTEXT)
    assert sealing_key_id(sealed) == other.id


def test_the_associated_data_are_bound_to_the_master_keys_id() -> None:
    sealed = bytearray(seal(KEY, b"secret", context=CONTEXT, randomness=os.urandom))
    sealed[1:5] = bytes.fromhex(MasterKey(bytes(32)).id)
    with pytest.raises(SealBroken):
        unseal(MasterKey(bytes(32)), bytes(sealed), context=CONTEXT)


def test_the_nonce_comes_from_the_given_randomness() -> None:
    sealed = seal(KEY, b"", context=CONTEXT, randomness=lambda n: b"\x05" * n)
    assert sealed[5:17] == b"\x05" * 12
    with pytest.raises(ValueError, match="12 bytes"):
        seal(KEY, b"", context=CONTEXT, randomness=lambda _: b"short")


def test_derive_is_hkdf_of_rfc_5869() -> None:
    # Recomputed from the RFC's two steps with hmac alone: no salt is 32 zero bytes; one block of 32.
    import hashlib
    import hmac

    secret = bytes(range(32))
    pseudo_random_key = hmac.digest(bytes(32), secret, hashlib.sha256)
    expected = hmac.digest(pseudo_random_key, b"sealring/refresh\x01", hashlib.sha256)
    assert derive(secret, "refresh") == expected
    assert derive(secret, "refresh", 16) == expected[:16]


@given(a=st.text(max_size=6), b=st.text(max_size=6))
def test_different_labels_give_different_keys(a: str, b: str) -> None:
    assert (derive(bytes(32), a) == derive(bytes(32), b)) == (a == b)


def test_a_short_secret_derives_nothing() -> None:
    with pytest.raises(ValueError, match="16 bytes or more"):
        derive(b"password", "refresh")
