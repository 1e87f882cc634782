-- What retention removed of a writer's chain, signed: the chain goes on from here. One row per writer, replaced by the next
-- removal. link_mac: of the last removed link. events: how many were removed so far. mac: under the audit key.
CREATE TABLE audit_closings (
  writer        TEXT    PRIMARY KEY,
  last_sequence INTEGER NOT NULL,
  link_mac      BLOB    NOT NULL CHECK (length(link_mac) = 32),
  events        INTEGER NOT NULL,
  at            INTEGER NOT NULL,
  mac           BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT, WITHOUT ROWID;
