"""The tables of a store, column by column, and the statements that carry whole rows from one engine to another."""

# ruff: noqa: S608 -- what is joined here are this file's own constants; every value is a parameter

from typing import Final, Literal, NamedTuple

ColumnType = Literal["integer", "text", "octets"]


class Table(NamedTuple):
    """A table that belongs to a store. `columns`: by name, in the order of its rows; `key`: what orders the rows.

    An integer is INTEGER on SQLite and BIGINT or SMALLINT on PostgreSQL, text is TEXT on both, octets are BLOB and
    BYTEA: drivers give one and the same value for each.
    """

    name: str
    columns: dict[str, ColumnType]
    key: tuple[str, ...]

    @property
    def read_from_sqlite(self) -> str:
        """Read all rows in the order of the key."""
        return self._read(", ".join(self.key))

    @property
    def read_from_postgresql(self) -> str:
        """Read all rows in the order of the key, text by its octets as SQLite does, whatever the database's locale."""
        ordered = [f'{name} COLLATE "C"' if self.columns[name] == "text" else name for name in self.key]
        return self._read(", ".join(ordered))

    @property
    def write(self) -> str:
        """Write one row."""
        places = ", ".join(":" + name for name in self.columns)
        return "INSERT INTO " + self.name + " (" + ", ".join(self.columns) + ") VALUES (" + places + ")"

    def _read(self, order: str) -> str:
        return "SELECT " + ", ".join(self.columns) + " FROM " + self.name + " ORDER BY " + order


def _table(name: str, *, key: str, integer: str = "", text: str = "", octets: str = "") -> Table:
    columns: dict[str, ColumnType] = dict.fromkeys(integer.split(), "integer")
    columns |= dict.fromkeys(text.split(), "text")
    columns |= dict.fromkeys(octets.split(), "octets")
    return Table(name, columns, tuple(key.split()))


TABLES: Final = (
    _table(
        "users",
        key="sub",
        integer="administrator demo epoch disabled_at deleted_at created_at",
        text="sub username username_key email email_key password_hash roles claims",
    ),
    _table("administrator_links", key="digest", integer="expires_at spent_at", octets="digest"),
    _table(
        "clients", key="client_id", integer="epoch disabled_at deleted_at created_at", text="client_id registration"
    ),
    _table("apis", key="identifier", integer="created_at", text="identifier registration"),
    _table(
        "sessions",
        key="key",
        integer="subject_epoch client_epoch generation mac_key_id rotated_1 rotated_2 rotated_3 rotated_4 repeats "
        "shared_generation auth_time created_at last_used_at idle_expires_at absolute_expires_at ended_at",
        text="sid sub client_id scope resource resources amr claims network user_agent ended_reason",
        octets="key binding_digest",
    ),
    _table(
        "keys",
        key="kid",
        integer="mac_key_id created_at activated_at leaves_at",
        text="kid purpose alg state public_jwk api",
        octets="sealed",
    ),
    _table("standing_keys", key="purpose", text="purpose", octets="sealed"),
    _table(
        "revocations", key="number", integer="number epoch at until", text="kind audience client_id", octets="id digest"
    ),
    _table(
        "audit_events",
        key="position",
        integer="position sequence at",
        text="writer event outcome code actor sub client_id sid api network country error_id details personal",
        octets="salt personal_digest",
    ),
    _table(
        "audit_links", key="writer last_sequence", integer="first_sequence last_sequence", text="writer", octets="mac"
    ),
    _table("audit_closings", key="writer", integer="last_sequence events at", text="writer", octets="link_mac mac"),
    _table("key_version", key="id", integer="id version"),
    _table("store_state", key="id", integer="id feed_number service_clock demo", octets="incarnation feed_digest"),
)
"""Whatever lasts, what is referred to first. A lease does not last; positions and locks of PostgreSQL are made anew."""

# PostgreSQL:
_MADE_WITH_THE_TABLES: Final = ("key_version", "store_state")
HOLD_TABLES: Final = "LOCK TABLE " + ", ".join(table.name for table in TABLES) + ", audit_head IN EXCLUSIVE MODE"
IS_BEGUN: Final = (
    "SELECT "
    + " OR ".join(f"EXISTS (SELECT 1 FROM {table.name})" for table in TABLES if table.name not in _MADE_WITH_THE_TABLES)
    + """
  OR EXISTS (SELECT 1 FROM leases)
  OR EXISTS (SELECT 1 FROM audit_head WHERE position <> 0)
  OR EXISTS (SELECT 1 FROM key_version WHERE version <> 0)
  OR EXISTS (SELECT 1 FROM store_state WHERE feed_number <> 0 OR service_clock <> 0 OR demo <> 0)
"""
)
FORGET_VERSION: Final = "DELETE FROM key_version"
FORGET_STATE: Final = "DELETE FROM store_state"
PLACE_POSITION: Final = "UPDATE audit_head SET position = (SELECT coalesce(max(position), 0) FROM audit_events)"
TAKE_TIME: Final = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'"
