-- Keys that never turn, sealed like the others: of the audit's chains and of device tokens. Before, both were derived from
-- the master key, so that it could not be changed.
CREATE TABLE standing_keys (
  purpose TEXT PRIMARY KEY,
  sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
