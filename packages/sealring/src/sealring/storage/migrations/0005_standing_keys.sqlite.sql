-- Keys that never turn, sealed like the others: of the audit's chains. Before, it was derived from the master key, so that
-- that one could not be changed.
CREATE TABLE standing_keys (
  purpose TEXT PRIMARY KEY,
  sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
