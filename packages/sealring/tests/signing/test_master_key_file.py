import os
from pathlib import Path

import pytest

from sealring.signing.master_key import (
    MasterKey,
    MasterKeyProblem,
    load_master_key,
    write_master_key,
)
from sealring.signing.master_key_file import (
    MasterKeyFile,
    SettledFile,
    former_file,
    next_file,
    settle_master_key,
    unused_file,
)

PRESENT = MasterKey(b"p" * 32)
COMING = MasterKey(b"n" * 32)
STRANGE = MasterKey(b"s" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secrets/master.key"
    assert write_master_key(path, PRESENT) is None
    return path


def settle(path: Path, *ids: str) -> SettledFile:
    settled = settle_master_key(path, sealed_under=frozenset(ids))
    assert isinstance(settled, SettledFile), settled
    return settled


def names(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


def test_a_file_that_nobody_changes_stays_as_it_is(path: Path) -> None:
    assert settle(path, PRESENT.id) == SettledFile(key=PRESENT)
    assert settle(path) == SettledFile(key=PRESENT)
    assert names(path) == {"master.key"}


@pytest.mark.parametrize("former", [None, "kept", "torn"])
def test_a_change_that_was_sealed_is_finished_and_the_former_key_kept(path: Path, former: str | None) -> None:
    write_master_key(next_file(path), COMING)
    kept = former_file(path, PRESENT.id)
    if former == "kept":
        write_master_key(kept, PRESENT)
    elif former == "torn":
        kept.write_text("slm_half")
        kept.chmod(0o600)
    assert settle(path, COMING.id) == SettledFile(key=COMING, settlement="finished", found=COMING.id)
    assert load_master_key(path) == COMING
    assert load_master_key(kept) == PRESENT
    assert (path.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o600)
    assert names(path) == {path.name, kept.name}
    assert settle(path, COMING.id) == SettledFile(key=COMING)


def test_a_change_is_finished_where_the_former_key_is_gone(path: Path) -> None:
    write_master_key(next_file(path), COMING)
    path.unlink()
    assert settle(path, COMING.id).key == COMING
    assert load_master_key(path) == COMING


@pytest.mark.parametrize("ids", [(PRESENT.id,), ()])
def test_a_next_key_under_which_nothing_is_sealed_is_put_aside_and_never_removed(
    path: Path, ids: tuple[str, ...]
) -> None:
    write_master_key(next_file(path), COMING)
    assert settle(path, *ids) == SettledFile(key=PRESENT, settlement="put_aside", found=COMING.id)
    assert load_master_key(unused_file(path, COMING.id)) == COMING
    assert not next_file(path).exists()


@pytest.mark.parametrize("content", [b"", b"slm_half"])
def test_a_next_key_that_a_crash_tore_is_removed(path: Path, content: bytes) -> None:
    next_file(path).write_bytes(content)
    next_file(path).chmod(0o600)
    assert settle(path, PRESENT.id) == SettledFile(key=PRESENT)
    assert names(path) == {"master.key"}


def test_a_store_that_is_sealed_under_neither_moves_nothing(path: Path) -> None:
    write_master_key(next_file(path), COMING)
    assert settle(path, STRANGE.id) == SettledFile(key=PRESENT)
    assert names(path) == {"master.key", "master.key.next"}


def test_a_next_key_that_others_can_read_is_a_sentence(path: Path) -> None:
    write_master_key(next_file(path), COMING)
    next_file(path).chmod(0o644)
    problem = settle_master_key(path, sealed_under=frozenset({COMING.id}))
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_exposed"


@pytest.mark.parametrize("key", [PRESENT, COMING])
def test_what_stands_in_the_way_of_finishing_is_a_sentence_and_loses_no_key(path: Path, key: MasterKey) -> None:
    write_master_key(next_file(path), COMING)
    former_file(path, PRESENT.id).mkdir(mode=0o700)
    unused_file(path, COMING.id).mkdir(mode=0o700)
    problem = settle_master_key(path, sealed_under=frozenset({key.id}))
    assert isinstance(problem, MasterKeyProblem)
    assert (load_master_key(path), load_master_key(next_file(path))) == (PRESENT, COMING)


def test_a_key_that_another_node_put_in_the_file_is_found_by_its_id(path: Path) -> None:
    file = MasterKeyFile(path, PRESENT)
    assert file.find(COMING.id) is None
    write_master_key(next_file(path), COMING)
    assert file.find(COMING.id) == COMING
    next_file(path).replace(path)
    assert MasterKeyFile(path, PRESENT).find(COMING.id) == COMING
    assert file.find(PRESENT.id) == PRESENT


def test_a_change_that_another_node_put_aside_as_it_opened_the_store_is_finished_all_the_same(path: Path) -> None:
    file, other = MasterKeyFile(path, PRESENT), MasterKeyFile(path, PRESENT)
    new = prepare(file, PRESENT.id)
    assert isinstance(new, MasterKey)
    assert settle(path, PRESENT.id).settlement == "put_aside"
    # Sealed now; the other node reads the rows again, and then this one goes on.
    assert other.find(new.id) == new
    assert file.put_in_place(new) is None
    assert names(path) == {path.name, former_file(path, PRESENT.id).name}
    assert load_master_key(path) == new


def test_a_change_that_another_node_finishes_is_finished_for_whoever_began_it(path: Path) -> None:
    file = MasterKeyFile(path, PRESENT)
    new = prepare(file, PRESENT.id)
    assert isinstance(new, MasterKey)
    assert settle(path, new.id).settlement == "finished"
    assert file.put_in_place(new) is None
    assert file.key == new


def test_a_key_that_was_put_aside_and_seals_the_store_takes_its_place_at_the_next_start(path: Path) -> None:
    write_master_key(unused_file(path, COMING.id), COMING)
    assert settle(path, COMING.id) == SettledFile(key=COMING, settlement="finished", found=COMING.id)
    assert load_master_key(path) == COMING
    assert load_master_key(former_file(path, PRESENT.id)) == PRESENT
    write_master_key(unused_file(path, COMING.id), COMING)
    assert settle(path, COMING.id) == SettledFile(key=COMING)


def test_a_former_key_is_known_only_to_whoever_looks_for_it(path: Path) -> None:
    write_master_key(former_file(path, STRANGE.id), STRANGE)
    file = MasterKeyFile(path, PRESENT)
    assert file.find(STRANGE.id) is None
    file.look_among_former([STRANGE.id])
    assert file.find(STRANGE.id) == STRANGE


def prepare(file: MasterKeyFile, *ids: str, to: Path | None = None) -> MasterKey | MasterKeyProblem:
    return file.prepare(to=to, sealed_under=frozenset(ids), randomness=os.urandom)


def test_a_prepared_key_is_private_lies_beside_the_file_and_is_known(path: Path) -> None:
    file = MasterKeyFile(path, PRESENT)
    new = prepare(file, PRESENT.id)
    assert isinstance(new, MasterKey)
    assert load_master_key(next_file(path)) == new == file.find(new.id)
    assert next_file(path).stat().st_mode & 0o777 == 0o600
    assert load_master_key(path) == PRESENT
    assert file.put_in_place(new) is None
    assert (load_master_key(path), file.key) == (new, new)


def test_a_prepared_key_never_has_the_id_of_one_that_is_known(path: Path) -> None:
    octets = iter([b"p" * 32, b"n" * 32])
    file = MasterKeyFile(path, PRESENT)
    made = file.prepare(to=None, sealed_under=frozenset({PRESENT.id}), randomness=lambda _: next(octets))
    assert made == COMING


def test_a_next_key_of_an_earlier_try_is_put_aside_before_another_is_made(path: Path) -> None:
    write_master_key(next_file(path), COMING)
    new = prepare(MasterKeyFile(path, PRESENT), PRESENT.id)
    assert isinstance(new, MasterKey)
    assert new != COMING
    assert load_master_key(unused_file(path, COMING.id)) == COMING


def test_a_file_that_holds_another_key_than_the_store_is_sealed_under_is_not_replaced(path: Path) -> None:
    problem = prepare(MasterKeyFile(path, PRESENT), STRANGE.id)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_mismatch"
    assert STRANGE.id in problem.sentence
    assert names(path) == {"master.key"}


def test_a_key_on_a_secret_mount_is_not_replaced_and_another_file_offered() -> None:
    problem = prepare(MasterKeyFile(Path("/run/secrets/master.key"), PRESENT), PRESENT.id)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_unwritable"
    assert "--to FILE" in problem.sentence


def test_a_key_in_a_file_of_its_own_leaves_the_present_one_alone(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other/place.key"
    new = prepare(MasterKeyFile(path, PRESENT), PRESENT.id, to=other)
    assert load_master_key(other) == new
    assert names(path) == {"master.key"}
    again = prepare(MasterKeyFile(path, PRESENT), PRESENT.id, to=other)
    assert isinstance(again, MasterKeyProblem)
    assert again.code == "master_key_exists"
    assert load_master_key(other) == new


def test_the_place_is_left_alone_where_the_next_key_was_exchanged(path: Path) -> None:
    write_master_key(next_file(path), STRANGE)
    problem = MasterKeyFile(path, PRESENT).put_in_place(COMING)
    assert isinstance(problem, MasterKeyProblem)
    assert COMING.id in problem.sentence
    assert load_master_key(path) == PRESENT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_writes_belongs_to_whom_the_present_key_belongs(path: Path) -> None:
    os.chown(path, 65534, 65534)
    file = MasterKeyFile(path, PRESENT)
    new = prepare(file, PRESENT.id)
    assert isinstance(new, MasterKey)
    assert file.put_in_place(new) is None
    owners = {(each.stat().st_uid, each.stat().st_gid) for each in path.parent.iterdir()}
    assert owners == {(65534, 65534)}


def test_the_key_that_seals_a_stock_is_found_by_its_rows_and_is_the_files_for_an_empty_one(path: Path) -> None:
    file = MasterKeyFile(path, PRESENT)
    sealed = b"\x01" + bytes.fromhex(COMING.id) + bytes(28)
    assert file.find_sealing([sealed]) is None
    assert file.find_sealing([b"", b""]) == PRESENT
    write_master_key(next_file(path), COMING)
    assert file.find_sealing([b"", sealed]) == COMING
