-- What lets people register clients. digest: SHA-256 of the token; id: by which it is listed, and which opens nothing.
CREATE TABLE initial_access_tokens (
  id         TEXT   PRIMARY KEY,
  digest     BYTEA  NOT NULL UNIQUE CHECK (length(digest) = 32),
  note       TEXT   NOT NULL,
  uses_left  BIGINT NOT NULL CHECK (uses_left >= 0),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
