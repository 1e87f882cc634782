-- Keys that never turn, sealed like the others: of the audit's chains. Before, it was derived from the master key, so that
-- that one could not be changed.
CREATE TABLE standing_keys (
  purpose TEXT PRIMARY KEY,
  sealed  BYTEA NOT NULL
);

-- Whoever adds a person or a client holds this row, so that on no two nodes both are given one id at once.
CREATE TABLE name_lock (
  id BIGINT PRIMARY KEY CHECK (id = 1)
);
INSERT INTO name_lock (id) VALUES (1);
