-- What retention removed of a writer's chain, signed: the chain goes on from here. One row per writer, replaced by the next
-- removal. link_mac: of the last removed link. events: how many were removed so far. mac: under the audit key.
CREATE TABLE audit_closings (
  writer        TEXT PRIMARY KEY,
  last_sequence BIGINT NOT NULL,
  link_mac      BYTEA NOT NULL CHECK (length(link_mac) = 32),
  events        BIGINT NOT NULL,
  at            BIGINT NOT NULL,
  mac           BYTEA NOT NULL CHECK (length(mac) = 32)
);
