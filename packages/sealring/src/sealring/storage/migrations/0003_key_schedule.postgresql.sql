-- What turning needs to know of a key, and whose secret it is. A retired key has no secret: `sealed` is empty.
ALTER TABLE keys ADD COLUMN api TEXT;
ALTER TABLE keys ADD COLUMN activated_at BIGINT;
ALTER TABLE keys ADD COLUMN leaves_at BIGINT;

-- Raised by every change of a key: a node sees by one small row that others turned them.
CREATE TABLE key_version (
  id      BIGINT PRIMARY KEY CHECK (id = 1),
  version BIGINT NOT NULL
);
INSERT INTO key_version (id, version) VALUES (1, 0);

-- Work that one node at a time may do.
CREATE TABLE leases (
  name       TEXT PRIMARY KEY,
  holder     TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
