-- What was ended, in the order in which it was committed. digest: the running digest up to this row (SECURITY B).
CREATE TABLE revocations (
  number    BIGINT PRIMARY KEY,
  kind      TEXT NOT NULL,
  id        BYTEA NOT NULL CHECK (length(id) = 16),
  audience  TEXT,
  epoch     BIGINT,
  at        BIGINT NOT NULL,
  until     BIGINT,
  client_id TEXT,
  digest    BYTEA NOT NULL CHECK (length(digest) = 32)
);
CREATE INDEX revocations_until ON revocations (until);
CREATE INDEX revocations_id ON revocations (id);
-- Named by single tokens alone: how many of a client were ended is counted at each.
CREATE INDEX revocations_client_id ON revocations (client_id) WHERE client_id IS NOT NULL;

ALTER TABLE store_state ADD COLUMN feed_digest BYTEA NOT NULL DEFAULT decode(repeat('00', 32), 'hex');
