import os
from pathlib import Path

import pytest

from sealring.ports import KeyStock
from sealring.protocol.key_schedule import Schedule, StoredKey
from sealring.protocol.standing_key import StandingKey
from sealring.signing.master_key import MasterKey, generate_master_key
from sealring.signing.master_key_file import MasterKeyFile
from sealring.signing.sealing import derive
from sealring.signing.standing_key import (
    StandingSecrets,
    copy_standing_keys,
    make_former_device_key,
    make_standing_keys,
    missing_standing_keys,
    open_standing_keys,
)
from sealring.signing.unsealing import KeyringProblem, unseal_key

ISSUER = "https://auth.example"
OTHER = "https://other.example"
NEW = KeyStock(version=0, keys=())
OLD = KeyStock(version=7, keys=())


def a_file() -> MasterKeyFile:
    return MasterKeyFile(Path("/nowhere/master.key"), generate_master_key(randomness=os.urandom))


FILE = a_file()


def make(stock: KeyStock, master_key: MasterKey = FILE.key, issuer: str = ISSUER) -> tuple[StandingKey, ...]:
    return make_standing_keys(stock, master_key=master_key, issuer=issuer, randomness=os.urandom)


def opened(keys: tuple[StandingKey, ...], file: MasterKeyFile = FILE, issuer: str = ISSUER) -> StandingSecrets:
    secrets = open_standing_keys(keys, master_key=file, issuer=issuer)
    assert isinstance(secrets, StandingSecrets), secrets
    return secrets


def test_a_new_store_gets_keys_that_the_master_key_does_not_tell() -> None:
    secrets = opened(make(NEW))
    assert secrets.audit != derive(FILE.key.reveal(), "audit")
    assert len(secrets.audit) == 32
    assert opened(make(NEW)) != secrets


def test_a_store_from_before_goes_on_under_the_keys_that_were_derived() -> None:
    master = FILE.key.reveal()
    assert opened(make(OLD)) == StandingSecrets(audit=derive(master, "audit"), pairwise=derive(master, "pairwise"))


def test_only_what_is_missing_is_made() -> None:
    assert missing_standing_keys(OLD) == ("audit", "pairwise")
    assert make(KeyStock(version=7, keys=(), standing=make(OLD))) == ()


def former_device_key(stock: KeyStock) -> tuple[StoredKey, ...]:
    return make_former_device_key(stock, master_key=FILE.key, issuer=ISSUER, randomness=os.urandom)


def test_only_a_store_from_before_gets_the_device_key_that_was_derived_and_only_once() -> None:
    (former,) = former_device_key(OLD)
    assert (former.kid, former.schedule, former.state) == ("cookie-device", Schedule("cookie", "HS256"), "active")
    assert unseal_key(former, master_key=FILE, issuer=ISSUER) == derive(FILE.key.reveal(), "device")
    assert former_device_key(KeyStock(version=7, keys=(former,))) == ()
    assert former_device_key(NEW) == ()


def test_a_standing_key_opens_for_its_purpose_issuer_and_master_key_alone() -> None:
    (device,) = former_device_key(OLD)
    for problem in (
        open_standing_keys([StandingKey(purpose="audit", sealed=device.sealed)], master_key=FILE, issuer=ISSUER),
        open_standing_keys(make(NEW), master_key=FILE, issuer=OTHER),
        open_standing_keys(make(NEW), master_key=a_file(), issuer=ISSUER),
    ):
        assert isinstance(problem, KeyringProblem)


def test_a_copy_goes_on_with_the_audit_of_the_original_under_the_same_master_key() -> None:
    keys = make(NEW)
    stock = KeyStock(version=7, keys=(), standing=keys)
    copied = copy_standing_keys(stock, master_key=FILE, former_issuer=ISSUER, issuer=OTHER, randomness=os.urandom)
    assert opened(copied, issuer=OTHER) == opened(keys)


@pytest.mark.parametrize("standing", [True, False])
def test_a_copy_under_another_master_key_begins_another_audit(*, standing: bool) -> None:
    stock = KeyStock(version=7, keys=(), standing=make(NEW) if standing else ())
    other = a_file()
    copied = copy_standing_keys(stock, master_key=other, former_issuer=ISSUER, issuer=OTHER, randomness=os.urandom)
    secrets = opened(copied, other, OTHER)
    assert secrets.audit != (opened(stock.standing).audit if standing else derive(FILE.key.reveal(), "audit"))


def test_the_secrets_do_not_show_themselves() -> None:
    assert repr(opened(make(NEW))) == "StandingSecrets(…)"
