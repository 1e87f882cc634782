-- Assertions by which clients proved themselves, each of them once. digest: SHA-256 of client and jti.
CREATE TABLE client_assertions (
  digest     BYTEA  PRIMARY KEY CHECK (length(digest) = 32),
  expires_at BIGINT NOT NULL
);
CREATE INDEX client_assertions_expires_at ON client_assertions (expires_at);
