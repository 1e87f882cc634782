import os
from pathlib import Path

import msgspec
import pytest

from sealring.ports import ForgedSecret, KeyStock, MacKey
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import KeyState, Schedule, StoredKey
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.signing.keyring import Keyring, make_key_forge, open_keyring
from sealring.signing.master_key import generate_master_key
from sealring.signing.master_key_file import MasterKeyFile
from sealring.signing.sealing import derive
from sealring.signing.standing_key import make_former_device_key
from sealring.signing.unsealing import KeyringProblem, unseal_key
from sealring_verify.jose import jwks, jws
from sealring_verify.symmetric_secret import parse_symmetric_secret

ISSUER = "https://auth.example"
REALM = TokenRealm(issuer=ISSUER, incarnation=bytes(16))
NOWHERE = Path("/nowhere/master.key")
MASTER_KEY = MasterKeyFile(NOWHERE, generate_master_key(randomness=os.urandom))
PLACES: tuple[tuple[Schedule, KeyState], ...] = (
    (Schedule("access_token", "ES256"), "active"),
    (Schedule("access_token", "ES256"), "pending"),
    (Schedule("mac", "HS256"), "active"),
    (Schedule("feed", "ES256"), "active"),
    (Schedule("cookie", "HS256"), "active"),
)


def forge_all(master_key: MasterKeyFile = MASTER_KEY, issuer: str = ISSUER) -> tuple[StoredKey, ...]:
    forge = make_key_forge(master_key=master_key, issuer=issuer, randomness=os.urandom)
    return tuple(forge(schedule, state, Instant(1000)) for schedule, state in PLACES)


def opened(keys: tuple[StoredKey, ...]) -> Keyring:
    keyring = open_keyring(keys, master_key=MASTER_KEY, realm=REALM)
    assert isinstance(keyring, Keyring)
    return keyring


def test_what_the_active_key_signs_the_published_set_verifies() -> None:
    keys = forge_all()
    keyring = opened(keys)
    token = keyring.sign_access_token(b'{"sub":"u1"}')
    key_set = jwks.parse_jwks(keyring.key_set())
    signed = jws.verify_compact(token, keys=key_set, algorithms=frozenset({"ES256"}))
    assert signed.payload == b'{"sub":"u1"}'
    assert (signed.header.typ, signed.header.kid) == ("at+jwt", keys[0].kid)


def test_a_token_is_recalled_by_whoever_signed_it_until_the_keys_are_others() -> None:
    keys = forge_all()
    keyring = opened(keys)
    token = keyring.sign_access_token(b'{"sub":"u1"}')
    assert token is not None
    assert keyring.recall_signed_token(token) == b'{"sub":"u1"}'
    assert keyring.recall_signed_token(token[:-1]) is None
    assert opened(keys).recall_signed_token(token) is None
    assert keyring.use(forge_all()) is None
    assert keyring.recall_signed_token(token) is None


def test_what_is_signed_with_an_apis_secret_is_never_recalled() -> None:
    forge = make_key_forge(master_key=MASTER_KEY, issuer=ISSUER, randomness=os.urandom)
    secret = forge.make_secret("bills", "active", Instant(1000)).key
    keyring = opened((*forge_all(), secret))
    token = keyring.sign_access_token(b'{"sub":"u1"}', line=secret.schedule)
    assert token is not None
    assert keyring.recall_signed_token(token) is None


def test_the_waiting_key_is_published_and_no_private_part_ever() -> None:
    keys = forge_all()
    published = msgspec.json.decode(opened(keys).key_set())["keys"]
    assert [key["kid"] for key in published] == [keys[0].kid, keys[1].kid]
    assert all("d" not in key and "k" not in key for key in published)


def test_feed_messages_are_signed_under_a_key_that_signs_nothing_else() -> None:
    keyring = opened(forge_all())
    message = keyring.sign_feed_message(b"{}")
    feed_keys, token_keys = jwks.parse_jwks(keyring.feed_key_set()), jwks.parse_jwks(keyring.key_set())
    signed = jws.verify_compact(message, keys=feed_keys, algorithms=frozenset({"ES256"}))
    assert signed.header.typ == "sealring-revocations+jwt"
    assert {key.kid for key in feed_keys.keys}.isdisjoint(key.kid for key in token_keys.keys)


def another_mac_key(than: StoredKey) -> StoredKey:
    """Forge until the number is another one."""
    return next(key for key in iter(lambda: forge_all()[2], than) if key.mac_key_id != than.mac_key_id)


def test_mac_keys_are_found_by_their_number_and_the_last_is_the_newest() -> None:
    active, waiting, older, *others = forge_all()
    newer = another_mac_key(older)
    keyring = opened((active, waiting, older, newer, *others))
    assert keyring.current_mac_key().mac_key_id == newer.mac_key_id
    found = keyring.find_mac_key(older.mac_key_id or 0)
    assert isinstance(found, MacKey)
    assert len(found.secret) == 32
    unknown = next(number for number in range(256) if number not in {older.mac_key_id, newer.mac_key_id})
    assert keyring.find_mac_key(unknown) is None


def test_a_retired_mac_key_is_not_accepted_any_more() -> None:
    active, waiting, old, *others = forge_all()
    keyring = opened((active, waiting, msgspec.structs.replace(old, state="retired"), another_mac_key(old), *others))
    assert keyring.find_mac_key(old.mac_key_id or 0) is None


def forge_cookie_key(state: KeyState) -> StoredKey:
    forge = make_key_forge(master_key=MASTER_KEY, issuer=ISSUER, randomness=os.urandom)
    return forge(Schedule("cookie", "HS256"), state, Instant(1000))


def test_device_tokens_are_made_under_the_active_cookie_key_and_known_under_all_that_are_left() -> None:
    *house, active = forge_all()
    retiring, pending, retired = (forge_cookie_key(state) for state in ("retiring", "pending", "retired"))
    assert active.kid.startswith("cookie-")
    assert (active.mac_key_id, active.public_jwk) == (None, None)
    keyring = opened((*house, retiring, pending, active, retired))
    secrets = [unseal_key(key, master_key=MASTER_KEY, issuer=ISSUER) for key in (active, pending, retiring)]
    assert keyring.device_keys() == tuple(derive(secret, "device") for secret in secrets if isinstance(secret, bytes))


def test_the_key_of_device_tokens_from_before_works_on_as_the_first_of_its_line() -> None:
    stock = KeyStock(version=7, keys=())
    former = make_former_device_key(stock, master_key=MASTER_KEY.key, issuer=ISSUER, randomness=os.urandom)
    assert opened((*forge_all()[:-1], *former)).device_keys() == (derive(MASTER_KEY.key.reveal(), "device"),)


def test_another_master_key_is_a_sentence() -> None:
    other = MasterKeyFile(NOWHERE, generate_master_key(randomness=os.urandom))
    problem = open_keyring(forge_all(), master_key=other, realm=REALM)
    assert isinstance(problem, KeyringProblem)
    assert other.key.id in problem.sentence
    assert "master_key_file" in problem.sentence


def test_another_issuer_does_not_open_the_keys() -> None:
    realm = TokenRealm(issuer="https://other.example", incarnation=bytes(16))
    problem = open_keyring(forge_all(), master_key=MASTER_KEY, realm=realm)
    assert isinstance(problem, KeyringProblem)
    assert "issuer" in problem.sentence


def test_keys_swapped_between_rows_do_not_open() -> None:
    active, waiting, *others = forge_all()
    swapped = (msgspec.structs.replace(active, sealed=waiting.sealed), waiting, *others)
    assert isinstance(open_keyring(swapped, master_key=MASTER_KEY, realm=REALM), KeyringProblem)


@pytest.mark.parametrize("missing", [0, 2, 3, 4])
def test_a_store_without_an_active_key_is_a_sentence(missing: int) -> None:
    keys = tuple(key for number, key in enumerate(forge_all()) if number != missing)
    problem = open_keyring(keys, master_key=MASTER_KEY, realm=REALM)
    assert isinstance(problem, KeyringProblem)
    assert "backup" in problem.sentence


def test_a_sealed_key_shows_nothing_of_its_secret() -> None:
    first, second = forge_all()[2], forge_all()[2]
    assert first.sealed != second.sealed
    assert len(first.sealed) > 32


SECRETS = Schedule("access_token", "HS256", "parcels")


def forge_secret(state: KeyState = "active", api: str = "parcels") -> ForgedSecret:
    forge = make_key_forge(master_key=MASTER_KEY, issuer=ISSUER, randomness=os.urandom)
    return forge.make_secret(api, state, Instant(1000))


def test_a_secret_signs_for_its_api_and_the_api_verifies_with_what_it_was_given() -> None:
    forged = forge_secret()
    keyring = opened((*forge_all(), forged.key))
    token = keyring.sign_access_token(b'{"sub":"u1"}', line=SECRETS)
    given = parse_symmetric_secret(forged.secret.symmetric_secret.reveal())
    assert given.kid == forged.secret.kid == forged.key.kid
    signed = jws.verify_compact(token, keys=jwks.KeySet([given.verifying()]), algorithms={"HS256"})
    assert (signed.header.typ, signed.header.kid) == ("at+jwt", forged.key.kid)
    assert keyring.seal_holds(signed.payload, kid=forged.key.kid)
    assert not keyring.seal_holds(b'{"sub":"u1"}', kid=forged.key.kid)
    assert not keyring.seal_holds(signed.payload, kid=None)


def test_a_secret_is_never_published_nor_among_the_keys_that_our_own_endpoints_check_with() -> None:
    keys, forged = forge_all(), forge_secret()
    keyring = opened((*keys, forged.key))
    assert forged.key.kid.startswith("hs-")
    assert forged.key.public_jwk is None
    assert [key.kid for key in keyring.verification_keys().keys] == [keys[0].kid, keys[1].kid]
    assert {key.alg for key in keyring.verification_keys().keys} == {"ES256"}
    # With the quote: a coordinate of a public key may hold the three letters by chance.
    assert b'"hs-' not in keyring.key_set() + keyring.feed_key_set()
    assert [key.kid for key in keyring.symmetric_keys("parcels").keys] == [forged.key.kid]
    assert keyring.symmetric_keys("orders").keys == ()


def test_secrets_that_wait_sign_or_retire_verify_and_one_that_left_does_not() -> None:
    states: tuple[KeyState, ...] = ("active", "pending", "retiring", "retired")
    keys = {state: forge_secret(state).key for state in states}
    keyring = opened((*forge_all(), *keys.values()))
    known = {key.kid for key in keyring.symmetric_keys("parcels").keys}
    assert known == {keys[state].kid for state in ("active", "pending", "retiring")}
    token = keyring.sign_access_token(b'{"sub":"u1"}', line=SECRETS)
    verified = jws.verify_compact(token, keys=keyring.symmetric_keys("parcels"), algorithms={"HS256"})
    assert verified.key.kid == keys["active"].kid


def test_a_secret_in_another_apis_row_does_not_open() -> None:
    moved = msgspec.structs.replace(forge_secret().key, api="orders")
    assert isinstance(open_keyring((*forge_all(), moved), master_key=MASTER_KEY, realm=REALM), KeyringProblem)


def test_an_api_without_a_secret_gets_no_token() -> None:
    keyring = opened((*forge_all(), forge_secret(api="letters").key))
    assert keyring.sign_access_token(b'{"sub":"u1"}', line=SECRETS) is None


def test_secrets_alone_are_no_house() -> None:
    keys = (*forge_all()[2:], forge_secret().key)
    assert isinstance(open_keyring(keys, master_key=MASTER_KEY, realm=REALM), KeyringProblem)


def test_a_secret_comes_from_its_own_maker_alone() -> None:
    forge = make_key_forge(master_key=MASTER_KEY, issuer=ISSUER, randomness=os.urandom)
    with pytest.raises(ValueError, match="make_secret"):
        forge(SECRETS, "active", Instant(1000))
    shown = forge_secret().secret.symmetric_secret.reveal()
    assert shown not in repr(forge_secret().secret) + repr(forge)
    assert MASTER_KEY.key.reveal().hex() not in repr(forge)
