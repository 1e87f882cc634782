"""The tables of a store, column by column, and the statements that carry whole rows from one engine to the other."""

from typing import Final, Literal, NamedTuple

ColumnType = Literal["integer", "text", "octets"]


class Table(NamedTuple):
    """A table that belongs to a store. `columns`: in the order of its rows, which are read in the order of its key.

    An integer is INTEGER on SQLite and BIGINT or SMALLINT on PostgreSQL, text is TEXT on both, octets are BLOB and
    BYTEA: drivers give one and the same value for each.
    """

    name: str
    columns: dict[str, ColumnType]
    read_from_sqlite: str
    read_from_postgresql: str
    write: str


def _columns(*, integer: str = "", text: str = "", octets: str = "") -> dict[str, ColumnType]:
    columns: dict[str, ColumnType] = dict.fromkeys(integer.split(), "integer")
    columns |= dict.fromkeys(text.split(), "text")
    columns |= dict.fromkeys(octets.split(), "octets")
    return columns


_READ_USERS = """
SELECT administrator, demo, epoch, disabled_at, deleted_at, created_at, sub, username, username_key, email, email_key,
  password_hash, roles, claims
FROM users"""
_WRITE_USERS = """
INSERT INTO users (administrator, demo, epoch, disabled_at, deleted_at, created_at, sub, username, username_key,
  email, email_key, password_hash, roles, claims)
VALUES (:administrator, :demo, :epoch, :disabled_at, :deleted_at, :created_at, :sub, :username, :username_key, :email,
  :email_key, :password_hash, :roles, :claims)
"""
_READ_ADMINISTRATOR_LINKS = """
SELECT expires_at, spent_at, digest
FROM administrator_links"""
_WRITE_ADMINISTRATOR_LINKS = """
INSERT INTO administrator_links (expires_at, spent_at, digest)
VALUES (:expires_at, :spent_at, :digest)
"""
_READ_CLIENTS = """
SELECT epoch, disabled_at, deleted_at, created_at, client_id, registration
FROM clients"""
_WRITE_CLIENTS = """
INSERT INTO clients (epoch, disabled_at, deleted_at, created_at, client_id, registration)
VALUES (:epoch, :disabled_at, :deleted_at, :created_at, :client_id, :registration)
"""
_READ_APIS = """
SELECT created_at, identifier, registration
FROM apis"""
_WRITE_APIS = """
INSERT INTO apis (created_at, identifier, registration)
VALUES (:created_at, :identifier, :registration)
"""
_READ_SESSIONS = """
SELECT subject_epoch, client_epoch, generation, mac_key_id, rotated_1, rotated_2, rotated_3, rotated_4, repeats,
  shared_generation, auth_time, created_at, last_used_at, idle_expires_at, absolute_expires_at, ended_at,
  logout_due_at, logout_attempts, sid, sub, client_id, scope, resource, resources, amr, claims, network, user_agent,
  ended_reason, sso_id, acr, requested_claims, key, binding_digest
FROM sessions"""
_WRITE_SESSIONS = """
INSERT INTO sessions (subject_epoch, client_epoch, generation, mac_key_id, rotated_1, rotated_2, rotated_3, rotated_4,
  repeats, shared_generation, auth_time, created_at, last_used_at, idle_expires_at, absolute_expires_at, ended_at,
  logout_due_at, logout_attempts, sid, sub, client_id, scope, resource, resources, amr, claims, network, user_agent,
  ended_reason, sso_id, acr, requested_claims, key, binding_digest)
VALUES (:subject_epoch, :client_epoch, :generation, :mac_key_id, :rotated_1, :rotated_2, :rotated_3, :rotated_4,
  :repeats, :shared_generation, :auth_time, :created_at, :last_used_at, :idle_expires_at, :absolute_expires_at,
  :ended_at, :logout_due_at, :logout_attempts, :sid, :sub, :client_id, :scope, :resource, :resources, :amr, :claims,
  :network, :user_agent, :ended_reason, :sso_id, :acr, :requested_claims, :key, :binding_digest)
"""
_READ_SSO_SESSIONS = """
SELECT subject_epoch, auth_time, created_at, last_used_at, idle_expires_at, absolute_expires_at, ended_at, id, sub,
  amr, acr, network, user_agent, ended_reason, digest
FROM sso_sessions"""
_WRITE_SSO_SESSIONS = """
INSERT INTO sso_sessions (subject_epoch, auth_time, created_at, last_used_at, idle_expires_at,
  absolute_expires_at, ended_at, id, sub, amr, acr, network, user_agent, ended_reason, digest)
VALUES (:subject_epoch, :auth_time, :created_at, :last_used_at, :idle_expires_at, :absolute_expires_at,
  :ended_at, :id, :sub, :amr, :acr, :network, :user_agent, :ended_reason, :digest)
"""
_READ_AUTHORIZATION_CODES = """
SELECT subject_epoch, client_epoch, auth_time, created_at, expires_at, spent_at, client_id, redirect_uri, sub, sso_id,
  scope, resource, nonce, requested_claims, amr, acr, sid, code_challenge, digest
FROM authorization_codes"""
_WRITE_AUTHORIZATION_CODES = """
INSERT INTO authorization_codes (subject_epoch, client_epoch, auth_time, created_at, expires_at, spent_at,
  client_id, redirect_uri, sub, sso_id, scope, resource, nonce, requested_claims, amr, acr, sid, code_challenge,
  digest)
VALUES (:subject_epoch, :client_epoch, :auth_time, :created_at, :expires_at, :spent_at, :client_id,
  :redirect_uri, :sub, :sso_id, :scope, :resource, :nonce, :requested_claims, :amr, :acr, :sid, :code_challenge,
  :digest)
"""
_READ_CONSENTS = """
SELECT granted_at, sub, client_id, redirect_uri, scope, resources, metadata_digest
FROM consents"""
_WRITE_CONSENTS = """
INSERT INTO consents (granted_at, sub, client_id, redirect_uri, scope, resources, metadata_digest)
VALUES (:granted_at, :sub, :client_id, :redirect_uri, :scope, :resources, :metadata_digest)
"""
_READ_CLIENT_ASSERTIONS = """
SELECT expires_at, digest
FROM client_assertions"""
_WRITE_CLIENT_ASSERTIONS = """
INSERT INTO client_assertions (expires_at, digest)
VALUES (:expires_at, :digest)
"""
_READ_INITIAL_ACCESS_TOKENS = """
SELECT uses_left, created_at, expires_at, id, note, digest
FROM initial_access_tokens"""
_WRITE_INITIAL_ACCESS_TOKENS = """
INSERT INTO initial_access_tokens (uses_left, created_at, expires_at, id, note, digest)
VALUES (:uses_left, :created_at, :expires_at, :id, :note, :digest)
"""
_READ_KEYS = """
SELECT mac_key_id, created_at, activated_at, leaves_at, kid, purpose, alg, state, public_jwk, api, sealed
FROM keys"""
_WRITE_KEYS = """
INSERT INTO keys (mac_key_id, created_at, activated_at, leaves_at, kid, purpose, alg, state, public_jwk, api, sealed)
VALUES (:mac_key_id, :created_at, :activated_at, :leaves_at, :kid, :purpose, :alg, :state, :public_jwk, :api, :sealed)
"""
_READ_STANDING_KEYS = """
SELECT purpose, sealed
FROM standing_keys"""
_WRITE_STANDING_KEYS = """
INSERT INTO standing_keys (purpose, sealed)
VALUES (:purpose, :sealed)
"""
_READ_REVOCATIONS = """
SELECT number, epoch, at, until, kind, audience, client_id, id, digest
FROM revocations"""
_WRITE_REVOCATIONS = """
INSERT INTO revocations (number, epoch, at, until, kind, audience, client_id, id, digest)
VALUES (:number, :epoch, :at, :until, :kind, :audience, :client_id, :id, :digest)
"""
_READ_AUDIT_EVENTS = """
SELECT position, sequence, at, writer, event, outcome, code, actor, sub, client_id, sid, api, network, country,
  error_id, details, personal, salt, personal_digest
FROM audit_events"""
_WRITE_AUDIT_EVENTS = """
INSERT INTO audit_events (position, sequence, at, writer, event, outcome, code, actor, sub, client_id, sid, api,
  network, country, error_id, details, personal, salt, personal_digest)
VALUES (:position, :sequence, :at, :writer, :event, :outcome, :code, :actor, :sub, :client_id, :sid, :api, :network,
  :country, :error_id, :details, :personal, :salt, :personal_digest)
"""
_READ_AUDIT_LINKS = """
SELECT first_sequence, last_sequence, writer, mac
FROM audit_links"""
_WRITE_AUDIT_LINKS = """
INSERT INTO audit_links (first_sequence, last_sequence, writer, mac)
VALUES (:first_sequence, :last_sequence, :writer, :mac)
"""
_READ_AUDIT_CLOSINGS = """
SELECT last_sequence, events, at, writer, link_mac, mac
FROM audit_closings"""
_WRITE_AUDIT_CLOSINGS = """
INSERT INTO audit_closings (last_sequence, events, at, writer, link_mac, mac)
VALUES (:last_sequence, :events, :at, :writer, :link_mac, :mac)
"""
_READ_KEY_VERSION = """
SELECT id, version
FROM key_version"""
_WRITE_KEY_VERSION = """
INSERT INTO key_version (id, version)
VALUES (:id, :version)
"""
_READ_STORE_STATE = """
SELECT id, feed_number, service_clock, demo, incarnation, feed_digest
FROM store_state"""
_WRITE_STORE_STATE = """
INSERT INTO store_state (id, feed_number, service_clock, demo, incarnation, feed_digest)
VALUES (:id, :feed_number, :service_clock, :demo, :incarnation, :feed_digest)
"""

# Text is ordered by its octets, as SQLite orders it, whatever the locale of a PostgreSQL database.
TABLES: Final = (
    Table(
        name="users",
        columns=_columns(
            integer="administrator demo epoch disabled_at deleted_at created_at",
            text="sub username username_key email email_key password_hash roles claims",
        ),
        read_from_sqlite=_READ_USERS + " ORDER BY sub",
        read_from_postgresql=_READ_USERS + ' ORDER BY sub COLLATE "C"',
        write=_WRITE_USERS,
    ),
    Table(
        name="administrator_links",
        columns=_columns(integer="expires_at spent_at", octets="digest"),
        read_from_sqlite=_READ_ADMINISTRATOR_LINKS + " ORDER BY digest",
        read_from_postgresql=_READ_ADMINISTRATOR_LINKS + " ORDER BY digest",
        write=_WRITE_ADMINISTRATOR_LINKS,
    ),
    Table(
        name="clients",
        columns=_columns(integer="epoch disabled_at deleted_at created_at", text="client_id registration"),
        read_from_sqlite=_READ_CLIENTS + " ORDER BY client_id",
        read_from_postgresql=_READ_CLIENTS + ' ORDER BY client_id COLLATE "C"',
        write=_WRITE_CLIENTS,
    ),
    Table(
        name="apis",
        columns=_columns(integer="created_at", text="identifier registration"),
        read_from_sqlite=_READ_APIS + " ORDER BY identifier",
        read_from_postgresql=_READ_APIS + ' ORDER BY identifier COLLATE "C"',
        write=_WRITE_APIS,
    ),
    Table(
        name="sessions",
        columns=_columns(
            integer="subject_epoch client_epoch generation mac_key_id rotated_1 rotated_2 rotated_3 rotated_4 repeats "
            "shared_generation auth_time created_at last_used_at idle_expires_at absolute_expires_at ended_at "
            "logout_due_at logout_attempts",
            text="sid sub client_id scope resource resources amr claims network user_agent ended_reason sso_id acr "
            "requested_claims",
            octets="key binding_digest",
        ),
        read_from_sqlite=_READ_SESSIONS + " ORDER BY key",
        read_from_postgresql=_READ_SESSIONS + " ORDER BY key",
        write=_WRITE_SESSIONS,
    ),
    Table(
        name="sso_sessions",
        columns=_columns(
            integer="subject_epoch auth_time created_at last_used_at idle_expires_at absolute_expires_at ended_at",
            text="id sub amr acr network user_agent ended_reason",
            octets="digest",
        ),
        read_from_sqlite=_READ_SSO_SESSIONS + " ORDER BY id",
        read_from_postgresql=_READ_SSO_SESSIONS + ' ORDER BY id COLLATE "C"',
        write=_WRITE_SSO_SESSIONS,
    ),
    Table(
        name="authorization_codes",
        columns=_columns(
            integer="subject_epoch client_epoch auth_time created_at expires_at spent_at",
            text="client_id redirect_uri sub sso_id scope resource nonce requested_claims amr acr sid code_challenge",
            octets="digest",
        ),
        read_from_sqlite=_READ_AUTHORIZATION_CODES + " ORDER BY digest",
        read_from_postgresql=_READ_AUTHORIZATION_CODES + " ORDER BY digest",
        write=_WRITE_AUTHORIZATION_CODES,
    ),
    Table(
        name="consents",
        columns=_columns(
            integer="granted_at",
            text="sub client_id redirect_uri scope resources",
            octets="metadata_digest",
        ),
        read_from_sqlite=_READ_CONSENTS + " ORDER BY sub, client_id, redirect_uri",
        read_from_postgresql=_READ_CONSENTS
        + ' ORDER BY sub COLLATE "C", client_id COLLATE "C", redirect_uri COLLATE "C"',
        write=_WRITE_CONSENTS,
    ),
    Table(
        name="client_assertions",
        columns=_columns(integer="expires_at", octets="digest"),
        read_from_sqlite=_READ_CLIENT_ASSERTIONS + " ORDER BY digest",
        read_from_postgresql=_READ_CLIENT_ASSERTIONS + " ORDER BY digest",
        write=_WRITE_CLIENT_ASSERTIONS,
    ),
    Table(
        name="initial_access_tokens",
        columns=_columns(integer="uses_left created_at expires_at", text="id note", octets="digest"),
        read_from_sqlite=_READ_INITIAL_ACCESS_TOKENS + " ORDER BY id",
        read_from_postgresql=_READ_INITIAL_ACCESS_TOKENS + ' ORDER BY id COLLATE "C"',
        write=_WRITE_INITIAL_ACCESS_TOKENS,
    ),
    Table(
        name="keys",
        columns=_columns(
            integer="mac_key_id created_at activated_at leaves_at",
            text="kid purpose alg state public_jwk api",
            octets="sealed",
        ),
        read_from_sqlite=_READ_KEYS + " ORDER BY kid",
        read_from_postgresql=_READ_KEYS + ' ORDER BY kid COLLATE "C"',
        write=_WRITE_KEYS,
    ),
    Table(
        name="standing_keys",
        columns=_columns(text="purpose", octets="sealed"),
        read_from_sqlite=_READ_STANDING_KEYS + " ORDER BY purpose",
        read_from_postgresql=_READ_STANDING_KEYS + ' ORDER BY purpose COLLATE "C"',
        write=_WRITE_STANDING_KEYS,
    ),
    Table(
        name="revocations",
        columns=_columns(integer="number epoch at until", text="kind audience client_id", octets="id digest"),
        read_from_sqlite=_READ_REVOCATIONS + " ORDER BY number",
        read_from_postgresql=_READ_REVOCATIONS + " ORDER BY number",
        write=_WRITE_REVOCATIONS,
    ),
    Table(
        name="audit_events",
        columns=_columns(
            integer="position sequence at",
            text="writer event outcome code actor sub client_id sid api network country error_id details personal",
            octets="salt personal_digest",
        ),
        read_from_sqlite=_READ_AUDIT_EVENTS + " ORDER BY position",
        read_from_postgresql=_READ_AUDIT_EVENTS + " ORDER BY position",
        write=_WRITE_AUDIT_EVENTS,
    ),
    Table(
        name="audit_links",
        columns=_columns(integer="first_sequence last_sequence", text="writer", octets="mac"),
        read_from_sqlite=_READ_AUDIT_LINKS + " ORDER BY writer, last_sequence",
        read_from_postgresql=_READ_AUDIT_LINKS + ' ORDER BY writer COLLATE "C", last_sequence',
        write=_WRITE_AUDIT_LINKS,
    ),
    Table(
        name="audit_closings",
        columns=_columns(integer="last_sequence events at", text="writer", octets="link_mac mac"),
        read_from_sqlite=_READ_AUDIT_CLOSINGS + " ORDER BY writer",
        read_from_postgresql=_READ_AUDIT_CLOSINGS + ' ORDER BY writer COLLATE "C"',
        write=_WRITE_AUDIT_CLOSINGS,
    ),
    Table(
        name="key_version",
        columns=_columns(integer="id version"),
        read_from_sqlite=_READ_KEY_VERSION + " ORDER BY id",
        read_from_postgresql=_READ_KEY_VERSION + " ORDER BY id",
        write=_WRITE_KEY_VERSION,
    ),
    Table(
        name="store_state",
        columns=_columns(integer="id feed_number service_clock demo", octets="incarnation feed_digest"),
        read_from_sqlite=_READ_STORE_STATE + " ORDER BY id",
        read_from_postgresql=_READ_STORE_STATE + " ORDER BY id",
        write=_WRITE_STORE_STATE,
    ),
)
"""Whatever lasts, what is referred to first. A lease does not last; positions and locks of PostgreSQL are made anew."""

# PostgreSQL:
HOLD_TABLES: Final = """
LOCK TABLE users, administrator_links, clients, apis, sessions, sso_sessions, authorization_codes, consents,
  client_assertions, initial_access_tokens, keys, standing_keys, revocations, audit_events, audit_links, audit_closings,
  key_version, store_state, audit_head
IN EXCLUSIVE MODE
"""
# An incarnation and two numbers are made with the tables.
IS_BEGUN: Final = """
SELECT EXISTS (SELECT 1 FROM users)
  OR EXISTS (SELECT 1 FROM administrator_links)
  OR EXISTS (SELECT 1 FROM clients)
  OR EXISTS (SELECT 1 FROM apis)
  OR EXISTS (SELECT 1 FROM sessions)
  OR EXISTS (SELECT 1 FROM sso_sessions)
  OR EXISTS (SELECT 1 FROM authorization_codes)
  OR EXISTS (SELECT 1 FROM consents)
  OR EXISTS (SELECT 1 FROM client_assertions)
  OR EXISTS (SELECT 1 FROM initial_access_tokens)
  OR EXISTS (SELECT 1 FROM keys)
  OR EXISTS (SELECT 1 FROM standing_keys)
  OR EXISTS (SELECT 1 FROM revocations)
  OR EXISTS (SELECT 1 FROM audit_events)
  OR EXISTS (SELECT 1 FROM audit_links)
  OR EXISTS (SELECT 1 FROM audit_closings)
  OR EXISTS (SELECT 1 FROM leases)
  OR EXISTS (SELECT 1 FROM audit_head WHERE position <> 0)
  OR EXISTS (SELECT 1 FROM key_version WHERE version <> 0)
  OR EXISTS (SELECT 1 FROM store_state WHERE feed_number <> 0 OR service_clock <> 0 OR demo <> 0)
"""
FORGET_VERSION: Final = "DELETE FROM key_version"
FORGET_STATE: Final = "DELETE FROM store_state"
PLACE_POSITION: Final = "UPDATE audit_head SET position = (SELECT coalesce(max(position), 0) FROM audit_events)"
TAKE_TIME: Final = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'"
