CREATE TABLE store_state (
  id            BIGINT PRIMARY KEY CHECK (id = 1),
  incarnation   BYTEA NOT NULL CHECK (length(incarnation) = 16),
  feed_number   BIGINT NOT NULL,
  service_clock BIGINT NOT NULL,
  demo          SMALLINT NOT NULL CHECK (demo IN (0, 1))
);

-- A deleted user stays as a bare row without names, hash and claims, so that no sub is ever given twice.
CREATE TABLE users (
  sub           TEXT PRIMARY KEY,
  username      TEXT,
  username_key  TEXT UNIQUE,
  email         TEXT,
  email_key     TEXT UNIQUE,
  password_hash TEXT,
  roles         TEXT NOT NULL,
  claims        TEXT NOT NULL,
  administrator SMALLINT NOT NULL CHECK (administrator IN (0, 1)),
  demo          SMALLINT NOT NULL CHECK (demo IN (0, 1)),
  epoch         BIGINT NOT NULL,
  disabled_at   BIGINT,
  deleted_at    BIGINT,
  created_at    BIGINT NOT NULL
);

CREATE TABLE administrator_links (
  digest     BYTEA PRIMARY KEY CHECK (length(digest) = 32),
  expires_at BIGINT NOT NULL,
  spent_at   BIGINT
);

CREATE TABLE clients (
  client_id    TEXT PRIMARY KEY,
  registration TEXT NOT NULL,
  epoch        BIGINT NOT NULL,
  disabled_at  BIGINT,
  deleted_at   BIGINT,
  created_at   BIGINT NOT NULL
);

CREATE TABLE apis (
  identifier   TEXT PRIMARY KEY,
  registration TEXT NOT NULL,
  created_at   BIGINT NOT NULL
);

-- One row per session, whatever number of refreshes it sees. The key begins with the time of birth, so live rows
-- lie together. rotated_1 … rotated_4: service instants at which the last four generations were rotated. Refreshing
-- touches no indexed column, and pages have room for it: such updates write no index.
CREATE TABLE sessions (
  key                 BYTEA PRIMARY KEY CHECK (length(key) = 20),
  sid                 TEXT NOT NULL UNIQUE,
  sub                 TEXT NOT NULL REFERENCES users (sub),
  client_id           TEXT NOT NULL REFERENCES clients (client_id),
  subject_epoch       BIGINT NOT NULL,
  client_epoch        BIGINT NOT NULL,
  generation          BIGINT NOT NULL,
  mac_key_id          BIGINT NOT NULL,
  rotated_1           BIGINT NOT NULL,
  rotated_2           BIGINT NOT NULL,
  rotated_3           BIGINT NOT NULL,
  rotated_4           BIGINT NOT NULL,
  repeats             BIGINT NOT NULL,
  shared_generation   BIGINT,
  binding_digest      BYTEA CHECK (binding_digest IS NULL OR length(binding_digest) = 32),
  scope               TEXT NOT NULL,
  resource            TEXT NOT NULL,
  resources           TEXT NOT NULL,
  auth_time           BIGINT NOT NULL,
  amr                 TEXT NOT NULL,
  claims              TEXT,
  created_at          BIGINT NOT NULL,
  last_used_at        BIGINT NOT NULL,
  idle_expires_at     BIGINT NOT NULL,
  absolute_expires_at BIGINT NOT NULL,
  network             TEXT,
  user_agent          TEXT,
  ended_at            BIGINT,
  ended_reason        TEXT
) WITH (fillfactor = 70);
CREATE INDEX sessions_sub ON sessions (sub);
CREATE INDEX sessions_absolute_expires_at ON sessions (absolute_expires_at);

CREATE TABLE keys (
  kid        TEXT PRIMARY KEY,
  purpose    TEXT NOT NULL,
  alg        TEXT NOT NULL,
  state      TEXT NOT NULL,
  mac_key_id BIGINT UNIQUE CHECK (mac_key_id BETWEEN 0 AND 255),
  sealed     BYTEA NOT NULL,
  public_jwk TEXT,
  created_at BIGINT NOT NULL
);

-- The last position of an event, dense and in the order of commits, whichever node recorded it: a sequence would show
-- a later number before an earlier one, and whoever reads on after a number would miss that for ever.
CREATE TABLE audit_head (
  id       BIGINT PRIMARY KEY CHECK (id = 1),
  position BIGINT NOT NULL
);
INSERT INTO audit_head (id, position) VALUES (1, 0);

-- One chain per writer (one run of one node). The personal part is hashed apart with its salt, so it can be erased.
CREATE TABLE audit_events (
  position        BIGINT PRIMARY KEY,
  writer          TEXT NOT NULL,
  sequence        BIGINT NOT NULL,
  at              BIGINT NOT NULL,
  event           TEXT NOT NULL,
  outcome         TEXT NOT NULL,
  code            TEXT,
  actor           TEXT NOT NULL,
  sub             TEXT,
  client_id       TEXT,
  sid             TEXT,
  api             TEXT,
  network         TEXT,
  country         TEXT,
  error_id        TEXT,
  details         TEXT NOT NULL,
  personal        TEXT,
  salt            BYTEA,
  personal_digest BYTEA NOT NULL,
  UNIQUE (writer, sequence)
);
CREATE INDEX audit_events_sub ON audit_events (sub);
CREATE INDEX audit_events_sid ON audit_events (sid, at);

CREATE TABLE audit_links (
  writer         TEXT NOT NULL,
  first_sequence BIGINT NOT NULL,
  last_sequence  BIGINT NOT NULL,
  mac            BYTEA NOT NULL CHECK (length(mac) = 32),
  PRIMARY KEY (writer, last_sequence)
);
