import os
import pickle
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.signing.master_key import (
    FilePlace,
    MasterKey,
    MasterKeyProblem,
    generate_master_key,
    is_exposed,
    load_master_key,
    master_key_text,
    parse_master_key,
    write_master_key,
)

KEY = MasterKey(bytes(range(32)))
KEY_TEXT = "slm_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


def place(**changes: object) -> FilePlace:
    ordinary = FilePlace(path=Path("/etc/sealring/master.key"), mode=0o600, owner=1000, read_only_mount=False)
    return msgspec.structs.replace(ordinary, **changes)


@given(secret=st.binary(min_size=32, max_size=32))
def test_the_text_of_a_key_reads_back(secret: bytes) -> None:
    text = master_key_text(MasterKey(secret))
    assert text.startswith("slm_")
    assert len(text) == 47
    assert parse_master_key(text) == MasterKey(secret)


@given(text=st.text(max_size=60) | st.from_regex(r"slm_[A-Za-z0-9_\-+/=\n ]{40,46}", fullmatch=True))
def test_only_the_one_text_of_a_key_is_read(text: str) -> None:
    key = parse_master_key(text)
    assert key is None or master_key_text(key) == text


@pytest.mark.parametrize(
    "text",
    [
        KEY_TEXT.removeprefix("slm_"),
        KEY_TEXT + "=",
        KEY_TEXT[:-1] + "9",  # the same 32 bytes to a decoder that ignores spare bits
        KEY_TEXT[:-1],
        KEY_TEXT.upper(),
        KEY_TEXT[:20] + "\n" + KEY_TEXT[20:],
        "slm_" + "\udcff" * 43,
        "",
    ],
)
def test_another_text_is_no_key(text: str) -> None:
    assert parse_master_key(text) is None


def test_a_key_shows_its_id_and_never_itself() -> None:
    assert repr(KEY) == f"MasterKey(id={KEY.id!r})"
    assert f"{KEY}" == repr(KEY)
    assert len(KEY.id) == 8
    with pytest.raises(TypeError):
        msgspec.json.encode(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        generate_master_key(randomness=lambda n: bytes(n - 1))
    assert generate_master_key(randomness=bytes) == MasterKey(bytes(32))


def test_a_written_key_is_private_in_private_folders_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "here" / "master.key"
    umask = os.umask(0)
    try:
        assert write_master_key(path, KEY) is None
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert path.read_text() == KEY_TEXT + "\n"
    assert load_master_key(path) == KEY


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text("precious")
    problem = write_master_key(path, KEY)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_exists"
    assert path.read_text() == "precious"


def test_a_file_in_the_folders_place_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    problem = write_master_key(tmp_path / "keys" / "master.key", KEY)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_unwritable"
    assert "not a directory" in problem.sentence


def test_a_full_disk_leaves_no_half_key(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))  # bytes: less than the key's line
    try:
        problem = write_master_key(tmp_path / "master.key", KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_unwritable"
    assert not (tmp_path / "master.key").exists()


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    problem = load_master_key(tmp_path / "master.key")
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_missing"
    assert str(tmp_path / "master.key") in problem.sentence
    assert "sealring init" in problem.sentence


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o601])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_text(KEY_TEXT)
    path.chmod(mode)
    problem = load_master_key(path)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_exposed"
    assert f"chmod 600 {path}" in problem.sentence


@pytest.mark.parametrize(
    "content",
    [b"", b"slm_", KEY_TEXT.encode() + b"\nsecond line", b"\xff\xfe", b"s" * 100_000, b"-----BEGIN PRIVATE KEY-----"],
)
def test_bad_content_is_refused_and_never_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    problem = load_master_key(path)
    assert isinstance(problem, MasterKeyProblem)
    assert problem.code == "master_key_malformed"
    assert "BEGIN" not in problem.sentence


def test_a_folder_and_a_fifo_are_no_key_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path, tmp_path / "fifo"):
        problem = load_master_key(path)
        assert isinstance(problem, MasterKeyProblem)
        assert problem.code == "master_key_unreadable"


@pytest.mark.parametrize(
    ("exposed", "case"),
    [
        (False, place(mode=0o600)),
        (False, place(mode=0o400)),
        (True, place(mode=0o640)),
        (True, place(mode=0o640, owner=0)),
        (False, place(mode=0o440, owner=0, path=Path("/run/secrets/master_key"))),
        (False, place(mode=0o444, owner=0, path=Path("/run/credentials/sealring.service/master_key"))),
        (False, place(mode=0o644, owner=0, read_only_mount=True)),
        (True, place(mode=0o444, owner=1000, path=Path("/run/secrets/master_key"))),
        (True, place(mode=0o664, owner=0, path=Path("/run/secrets/master_key"))),
        (True, place(mode=0o646, owner=0, read_only_mount=True)),
        (True, place(mode=0o444, owner=0, path=Path("/run/secrets-of-mine/master_key"))),
    ],
)
def test_a_shared_mode_is_accepted_on_a_secret_mount_alone(exposed: bool, case: FilePlace) -> None:  # noqa: FBT001 - a table's column
    assert is_exposed(case) is exposed
