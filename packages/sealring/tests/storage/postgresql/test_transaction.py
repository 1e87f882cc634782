import pytest

from sealring.storage.postgresql.transaction import numbered


@pytest.mark.parametrize(
    ("statement", "text", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("SELECT :a, :b WHERE :a = x", "SELECT $1, $2 WHERE $1 = x", ("a", "b")),
        ("SELECT x::text, :x::text", "SELECT x::text, $1::text", ("x",)),
        ("SELECT CAST(:mac_key_id AS BIGINT[])", "SELECT CAST($1 AS BIGINT[])", ("mac_key_id",)),
        ("LIMIT :limit", "LIMIT $1", ("limit",)),
    ],
)
def test_names_become_numbers_in_the_order_in_which_they_first_stand(
    statement: str, text: str, names: tuple[str, ...]
) -> None:
    assert numbered(statement) == (text, names)
