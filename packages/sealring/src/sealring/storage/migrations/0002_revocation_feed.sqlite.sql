-- What was ended, in the order in which it was committed. digest: the running digest up to this row (SECURITY B).
CREATE TABLE revocations (
  number    INTEGER PRIMARY KEY,
  kind      TEXT    NOT NULL,
  id        BLOB    NOT NULL CHECK (length(id) = 16),
  audience  TEXT,
  epoch     INTEGER,
  at        INTEGER NOT NULL,
  until     INTEGER,
  client_id TEXT,
  digest    BLOB    NOT NULL CHECK (length(digest) = 32)
) STRICT;
CREATE INDEX revocations_until ON revocations (until);
CREATE INDEX revocations_id ON revocations (id);
-- Named by single tokens alone: how many of a client were ended is counted at each.
CREATE INDEX revocations_client_id ON revocations (client_id) WHERE client_id IS NOT NULL;

ALTER TABLE store_state ADD COLUMN feed_digest BLOB NOT NULL DEFAULT (zeroblob(32));
