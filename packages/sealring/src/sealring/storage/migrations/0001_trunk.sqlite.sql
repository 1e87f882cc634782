CREATE TABLE store_state (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  incarnation   BLOB    NOT NULL CHECK (length(incarnation) = 16),
  feed_number   INTEGER NOT NULL,
  service_clock INTEGER NOT NULL,
  demo          INTEGER NOT NULL CHECK (demo IN (0, 1))
) STRICT;

-- A deleted user stays as a bare row without names, hash and claims, so that no sub is ever given twice.
CREATE TABLE users (
  sub           TEXT    PRIMARY KEY,
  username      TEXT,
  username_key  TEXT    UNIQUE,
  email         TEXT,
  email_key     TEXT    UNIQUE,
  password_hash TEXT,
  roles         TEXT    NOT NULL,
  claims        TEXT    NOT NULL,
  administrator INTEGER NOT NULL CHECK (administrator IN (0, 1)),
  demo          INTEGER NOT NULL CHECK (demo IN (0, 1)),
  epoch         INTEGER NOT NULL,
  disabled_at   INTEGER,
  deleted_at    INTEGER,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE administrator_links (
  digest     BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  expires_at INTEGER NOT NULL,
  spent_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
  client_id    TEXT    PRIMARY KEY,
  registration TEXT    NOT NULL,
  epoch        INTEGER NOT NULL,
  disabled_at  INTEGER,
  deleted_at   INTEGER,
  created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apis (
  identifier   TEXT    PRIMARY KEY,
  registration TEXT    NOT NULL,
  created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per session, whatever number of refreshes it sees. The key begins with the time of birth, so live rows
-- lie together. rotated_1 … rotated_4: service instants at which the last four generations were rotated.
CREATE TABLE sessions (
  key                 BLOB    PRIMARY KEY CHECK (length(key) = 20),
  sid                 TEXT    NOT NULL UNIQUE,
  sub                 TEXT    NOT NULL REFERENCES users (sub),
  client_id           TEXT    NOT NULL REFERENCES clients (client_id),
  subject_epoch       INTEGER NOT NULL,
  client_epoch        INTEGER NOT NULL,
  generation          INTEGER NOT NULL,
  mac_key_id          INTEGER NOT NULL,
  rotated_1           INTEGER NOT NULL,
  rotated_2           INTEGER NOT NULL,
  rotated_3           INTEGER NOT NULL,
  rotated_4           INTEGER NOT NULL,
  repeats             INTEGER NOT NULL,
  shared_generation   INTEGER,
  binding_digest      BLOB    CHECK (binding_digest IS NULL OR length(binding_digest) = 32),
  scope               TEXT    NOT NULL,
  resource            TEXT    NOT NULL,
  resources           TEXT    NOT NULL,
  auth_time           INTEGER NOT NULL,
  amr                 TEXT    NOT NULL,
  claims              TEXT,
  created_at          INTEGER NOT NULL,
  last_used_at        INTEGER NOT NULL,
  idle_expires_at     INTEGER NOT NULL,
  absolute_expires_at INTEGER NOT NULL,
  network             TEXT,
  user_agent          TEXT,
  ended_at            INTEGER,
  ended_reason        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_sub ON sessions (sub);
CREATE INDEX sessions_absolute_expires_at ON sessions (absolute_expires_at);

CREATE TABLE keys (
  kid        TEXT    PRIMARY KEY,
  purpose    TEXT    NOT NULL,
  alg        TEXT    NOT NULL,
  state      TEXT    NOT NULL,
  mac_key_id INTEGER UNIQUE CHECK (mac_key_id BETWEEN 0 AND 255),
  sealed     BLOB    NOT NULL,
  public_jwk TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One chain per writer (one run of one node). The personal part is hashed apart with its salt, so it can be erased.
CREATE TABLE audit_events (
  position        INTEGER PRIMARY KEY,
  writer          TEXT    NOT NULL,
  sequence        INTEGER NOT NULL,
  at              INTEGER NOT NULL,
  event           TEXT    NOT NULL,
  outcome         TEXT    NOT NULL,
  code            TEXT,
  actor           TEXT    NOT NULL,
  sub             TEXT,
  client_id       TEXT,
  sid             TEXT,
  api             TEXT,
  network         TEXT,
  country         TEXT,
  error_id        TEXT,
  details         TEXT    NOT NULL,
  personal        TEXT,
  salt            BLOB,
  personal_digest BLOB    NOT NULL,
  UNIQUE (writer, sequence)
) STRICT;
CREATE INDEX audit_events_sub ON audit_events (sub);
CREATE INDEX audit_events_sid ON audit_events (sid, at);

CREATE TABLE audit_links (
  writer         TEXT    NOT NULL,
  first_sequence INTEGER NOT NULL,
  last_sequence  INTEGER NOT NULL,
  mac            BLOB    NOT NULL CHECK (length(mac) = 32),
  PRIMARY KEY (writer, last_sequence)
) STRICT, WITHOUT ROWID;
