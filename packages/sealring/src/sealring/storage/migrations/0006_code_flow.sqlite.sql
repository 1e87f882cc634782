-- One row per browser in which somebody is signed in. digest: SHA-256 of its cookie; id: what client sessions name.
CREATE TABLE sso_sessions (
  id                  TEXT    PRIMARY KEY,
  digest              BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
  sub                 TEXT    NOT NULL REFERENCES users (sub),
  subject_epoch       INTEGER NOT NULL,
  auth_time           INTEGER NOT NULL,
  amr                 TEXT    NOT NULL,
  acr                 TEXT,
  created_at          INTEGER NOT NULL,
  last_used_at        INTEGER NOT NULL,
  idle_expires_at     INTEGER NOT NULL,
  absolute_expires_at INTEGER NOT NULL,
  network             TEXT,
  user_agent          TEXT,
  ended_at            INTEGER,
  ended_reason        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sso_sessions_sub ON sso_sessions (sub);
CREATE INDEX sso_sessions_absolute_expires_at ON sso_sessions (absolute_expires_at);

-- digest: SHA-256 of the code. sid: of the session that it became when it was spent.
CREATE TABLE authorization_codes (
  digest           BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  client_id        TEXT    NOT NULL REFERENCES clients (client_id),
  redirect_uri     TEXT    NOT NULL,
  code_challenge   TEXT,
  sub              TEXT    NOT NULL REFERENCES users (sub),
  subject_epoch    INTEGER NOT NULL,
  client_epoch     INTEGER NOT NULL,
  sso_id           TEXT    NOT NULL,
  scope            TEXT    NOT NULL,
  resource         TEXT    NOT NULL,
  nonce            TEXT,
  requested_claims TEXT,
  auth_time        INTEGER NOT NULL,
  amr              TEXT    NOT NULL,
  acr              TEXT,
  created_at       INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  spent_at         INTEGER,
  sid              TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_codes_expires_at ON authorization_codes (expires_at);

-- What a person allowed a client. metadata_digest: of what the client showed then (SECURITY E2).
CREATE TABLE consents (
  sub             TEXT    NOT NULL REFERENCES users (sub),
  client_id       TEXT    NOT NULL REFERENCES clients (client_id),
  redirect_uri    TEXT    NOT NULL,
  scope           TEXT    NOT NULL,
  resources       TEXT    NOT NULL,
  metadata_digest BLOB    NOT NULL CHECK (length(metadata_digest) = 32),
  granted_at      INTEGER NOT NULL,
  PRIMARY KEY (sub, client_id, redirect_uri)
) STRICT, WITHOUT ROWID;

-- logout_due_at: when the client of an ended session is to be told of it next; NULL where it need not be told.
ALTER TABLE sessions ADD COLUMN sso_id TEXT;
ALTER TABLE sessions ADD COLUMN acr TEXT;
ALTER TABLE sessions ADD COLUMN requested_claims TEXT;
ALTER TABLE sessions ADD COLUMN logout_due_at INTEGER;
ALTER TABLE sessions ADD COLUMN logout_attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_sso_id ON sessions (sso_id) WHERE sso_id IS NOT NULL;
CREATE INDEX sessions_logout_due_at ON sessions (logout_due_at) WHERE logout_due_at IS NOT NULL AND ended_at IS NOT NULL;
