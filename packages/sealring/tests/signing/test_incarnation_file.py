from pathlib import Path

from sealring.signing.incarnation_file import IncarnationFile, IncarnationFileProblem

ONE, TWO = bytes(16), b"\x01" * 16


def test_a_first_look_agrees_and_is_remembered_privately(tmp_path: Path) -> None:
    path = tmp_path / "incarnation"
    assert IncarnationFile(path).disagrees_with(ONE, 5) is False
    assert path.stat().st_mode & 0o777 == 0o600
    assert IncarnationFile(path).disagrees_with(ONE, 5) is False


def test_a_newer_store_agrees_and_an_older_or_another_does_not(tmp_path: Path) -> None:
    path = tmp_path / "incarnation"
    IncarnationFile(path).remember(ONE, 5)
    assert IncarnationFile(path).disagrees_with(ONE, 6) is False
    assert IncarnationFile(path).disagrees_with(ONE, 4) is True
    assert IncarnationFile(path).disagrees_with(TWO, 5) is True


def test_only_news_is_written(tmp_path: Path) -> None:
    path = tmp_path / "incarnation"
    file = IncarnationFile(path)
    file.remember(ONE, 5)
    path.unlink()
    file.remember(ONE, 5)
    assert not path.exists()
    file.remember(ONE, 6)
    assert path.exists()


def test_a_damaged_file_and_an_unwritable_place_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "incarnation"
    path.write_bytes(b"{")
    problem = IncarnationFile(path).disagrees_with(ONE, 5)
    assert isinstance(problem, IncarnationFileProblem)
    assert str(path) in problem.sentence
    (tmp_path / "file").touch()
    problem = IncarnationFile(tmp_path / "missing" / "incarnation").disagrees_with(ONE, 5)
    assert isinstance(problem, IncarnationFileProblem)
    assert "incarnation_file" in problem.sentence
