import os
from pathlib import Path

import pytest

from sealring.ports import KeyChange, KeyStock, MasterKeyPlaced, MasterKeyRefusal
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import HOUSE_SCHEDULES, retired_key
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.signing.keyring import Keyring, make_key_forge, open_keyring
from sealring.signing.master_key import MasterKey, generate_master_key, load_master_key, write_master_key
from sealring.signing.master_key_change import FileMasterKeyChange, MasterKeyBook
from sealring.signing.master_key_file import MasterKeyFile, former_file, next_file, stock_sealing_ids
from sealring.signing.standing_key import StandingSecrets, make_standing_keys, open_standing_keys
from sealring.signing.unsealing import KeyringProblem

ISSUER = "https://auth.example"
REALM = TokenRealm(issuer=ISSUER, incarnation=bytes(16))


@pytest.fixture
def file(tmp_path: Path) -> MasterKeyFile:
    key = generate_master_key(randomness=os.urandom)
    assert write_master_key(tmp_path / "master.key", key) is None
    return MasterKeyFile(tmp_path / "master.key", key)


@pytest.fixture
def stock(file: MasterKeyFile) -> KeyStock:
    forge = make_key_forge(master_key=file, issuer=ISSUER, randomness=os.urandom)
    keys = tuple(forge(schedule, "active", Instant(1)) for schedule in HOUSE_SCHEDULES)
    keys = (*keys, forge.make_secret("parcels", "active", Instant(1)).key)
    gone = retired_key(forge(HOUSE_SCHEDULES[0], "active", Instant(0)))
    empty = KeyStock(version=0, keys=())
    standing = make_standing_keys(empty, master_key=file.key, issuer=ISSUER, randomness=os.urandom)
    return KeyStock(version=4, keys=(gone, *keys), standing=standing)


def begin(file: MasterKeyFile, stock: KeyStock, *, to: Path | None = None) -> FileMasterKeyChange:
    change = MasterKeyBook(file, issuer=ISSUER, randomness=os.urandom).begin_change(stock, to=to)
    assert isinstance(change, FileMasterKeyChange), change
    return change


def changed(stock: KeyStock, change: KeyChange) -> KeyStock:
    keys = {key.kid: key for key in (*stock.keys, *change.keys)}
    return KeyStock(version=change.version + 1, keys=tuple(keys.values()), standing=change.standing)


def keyring(stock: KeyStock, key: MasterKey) -> Keyring | KeyringProblem:
    alone = MasterKeyFile(Path("/nowhere/master.key"), key)
    return open_keyring(stock.keys, master_key=alone, realm=REALM)


def test_what_is_sealed_anew_is_the_same_and_opens_under_the_new_key_alone(
    file: MasterKeyFile, stock: KeyStock
) -> None:
    former = file.key
    before, standing = keyring(stock, former), open_standing_keys(stock.standing, master_key=file, issuer=ISSUER)
    assert isinstance(before, Keyring)
    change = begin(file, stock)
    after = changed(stock, change.reseal(stock))
    new = load_master_key(next_file(file.path))
    assert isinstance(new, MasterKey)
    assert (change.former_id, change.key_id) == (former.id, new.id)
    assert stock_sealing_ids(after) == {new.id}
    assert after.keys[0].sealed == b""
    opened = keyring(after, new)
    assert isinstance(opened, Keyring)
    assert opened.key_set() == before.key_set()
    assert opened.current_mac_key() == before.current_mac_key()
    assert opened.symmetric_keys("parcels").keys[0].kid == before.symmetric_keys("parcels").keys[0].kid
    assert open_standing_keys(after.standing, master_key=MasterKeyFile(file.path, new), issuer=ISSUER) == standing
    assert isinstance(standing, StandingSecrets)
    assert isinstance(keyring(after, former), KeyringProblem)


def test_keys_that_are_made_beside_others_are_sealed_as_they_are(file: MasterKeyFile, stock: KeyStock) -> None:
    forge = make_key_forge(master_key=file, issuer=ISSUER, randomness=os.urandom)
    change = begin(file, stock)
    after = changed(stock, change.reseal(stock))
    for beside in (stock, after):
        made = forge(HOUSE_SCHEDULES[0], "pending", Instant(2), beside=beside.keys)
        assert stock_sealing_ids(KeyStock(version=0, keys=(made,))) == stock_sealing_ids(beside)


def test_a_node_that_has_not_the_master_key_makes_no_key(file: MasterKeyFile, stock: KeyStock) -> None:
    after = changed(stock, begin(file, stock).reseal(stock))
    elsewhere = MasterKeyFile(Path("/nowhere/master.key"), file.key)
    forge = make_key_forge(master_key=elsewhere, issuer=ISSUER, randomness=os.urandom)
    with pytest.raises(RuntimeError):
        forge(HOUSE_SCHEDULES[0], "pending", Instant(2), beside=after.keys)


def test_a_keyring_takes_keys_that_another_node_sealed_anew(file: MasterKeyFile, stock: KeyStock) -> None:
    ring = open_keyring(stock.keys, master_key=file, realm=REALM)
    assert isinstance(ring, Keyring)
    other_node = MasterKeyFile(file.path, file.key)
    change = begin(other_node, stock)
    after = changed(stock, change.reseal(stock))
    assert ring.use(after.keys) is None
    change.finish()
    late = open_keyring(stock.keys, master_key=MasterKeyFile(file.path, file.key), realm=REALM)
    assert isinstance(late, Keyring)
    assert late.use(after.keys) is None


def test_finishing_puts_the_new_key_in_place_and_keeps_the_former(file: MasterKeyFile, stock: KeyStock) -> None:
    former, change = file.key, begin(file, stock)
    kept = former_file(file.path, former.id)
    assert change.finish() == MasterKeyPlaced(file=str(file.path), former_file=str(kept))
    assert load_master_key(kept) == former
    assert load_master_key(file.path) == file.key != former


def test_a_key_of_its_own_file_is_left_there_and_the_former_in_its_place(
    file: MasterKeyFile, stock: KeyStock, tmp_path: Path
) -> None:
    change = begin(file, stock, to=tmp_path / "other.key")
    placed = MasterKeyPlaced(file=str(tmp_path / "other.key"), former_file=str(file.path))
    assert change.finish() == placed
    assert load_master_key(file.path) == file.key


def test_what_keeps_the_new_key_from_its_place_is_told(file: MasterKeyFile, stock: KeyStock) -> None:
    change = begin(file, stock)
    former_file(file.path, file.key.id).mkdir(mode=0o700)
    placed = change.finish()
    assert placed.unfinished is not None
    assert (placed.file, placed.former_file) == (str(next_file(file.path)), None)


@pytest.mark.parametrize("name", [None, "other.key"])
def test_an_abandoned_change_leaves_nothing(
    file: MasterKeyFile, stock: KeyStock, tmp_path: Path, name: str | None
) -> None:
    begin(file, stock, to=None if name is None else tmp_path / name).abandon()
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


def test_a_stock_that_does_not_open_is_not_sealed_anew(file: MasterKeyFile, stock: KeyStock) -> None:
    change = MasterKeyBook(file, issuer="https://other.example", randomness=os.urandom).begin_change(stock, to=None)
    assert isinstance(change, FileMasterKeyChange)
    with pytest.raises(ValueError, match="does not open"):
        change.reseal(stock)


def test_a_place_that_cannot_be_written_is_a_refusal(file: MasterKeyFile, stock: KeyStock, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    book = MasterKeyBook(file, issuer=ISSUER, randomness=os.urandom)
    refusal = book.begin_change(stock, to=tmp_path / "taken")
    assert isinstance(refusal, MasterKeyRefusal)
    assert refusal.code == "master_key_exists"
