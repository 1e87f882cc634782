"""Every refusal of the server: one stable code, the RFC's word for it, a status and a sentence.

An outcome that a client can cause is a value of this module, never an exception.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class OAuthError(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told (RFC 6749 §5.2) and, in `code`, what happened, in a word that stays the same.

    `status`: HTTP. `retry_after`: seconds or None. `error_id`: a random name under which the operator finds the event.
    `scope`: what the access token would need.
    """

    error: str
    code: str
    description: str
    status: int = 400
    retry_after: int | None = None
    error_id: str | None = None
    scope: str | None = None


class _Meaning(msgspec.Struct, frozen=True):
    error: str
    status: int
    description: str


CODES: Mapping[str, _Meaning] = MappingProxyType(
    {
        # the message itself
        "malformed_http": _Meaning("invalid_request", 400, "The request is not valid HTTP."),
        "malformed_json": _Meaning("invalid_request", 400, "The body is not one plain JSON object in UTF-8."),
        "invalid_member": _Meaning("invalid_request", 400, "The JSON body does not fit."),
        "body_too_large": _Meaning("invalid_request", 413, "The body is larger than 16 KiB."),
        "body_too_slow": _Meaning("invalid_request", 408, "The body did not arrive in time."),
        "head_too_large": _Meaning("invalid_request", 431, "The head of the request is too large."),
        "wrong_content_type": _Meaning("invalid_request", 415, "Send the body as this endpoint's content type."),
        "method_not_allowed": _Meaning("invalid_request", 405, "This endpoint does not take that method."),
        "not_found": _Meaning("invalid_request", 404, "There is nothing at this address."),
        "wrong_host": _Meaning("invalid_request", 421, "This server answers under its issuer's host only."),
        "forwarded_request": _Meaning("invalid_request", 400, "The demo answers direct requests only."),
        "duplicate_parameter": _Meaning("invalid_request", 400, "A parameter was sent more than once."),
        "malformed_form": _Meaning("invalid_request", 400, "The body is not a form in UTF-8."),
        "missing_parameter": _Meaning("invalid_request", 400, "A required parameter is missing."),
        "invalid_parameter": _Meaning("invalid_request", 400, "A parameter has a value that it cannot have."),
        "parameter_in_address": _Meaning(
            "invalid_request", 400, "Send the parameters in the body: what stands in an address is no secret any more."
        ),
        # the client
        "client_authentication_failed": _Meaning("invalid_client", 401, "The client could not be authenticated."),
        "client_assertion_refused": _Meaning("invalid_client", 401, "The client assertion is not valid."),
        "client_assertion_replayed": _Meaning("invalid_client", 401, "The client assertion was used before."),
        "client_keys_unavailable": _Meaning("invalid_client", 401, "The keys of this client could not be had."),
        "several_authentication_methods": _Meaning("invalid_request", 400, "Use one client authentication method."),
        "unsupported_grant_type": _Meaning("unsupported_grant_type", 400, "There is no grant of that type here."),
        "grant_not_registered": _Meaning("unauthorized_client", 400, "This client is not registered for that grant."),
        "client_not_first_party": _Meaning("unauthorized_client", 403, "This client may not sign people in itself."),
        "confidential_client_required": _Meaning(
            "unauthorized_client", 403, "Without a registered Origin this endpoint takes confidential clients only."
        ),
        "permission_required": _Meaning("unauthorized_client", 403, "This client lacks the permission for that."),
        "origin_required": _Meaning("invalid_request", 403, "A request from a page must carry its Origin."),
        "origin_not_registered": _Meaning("invalid_request", 403, "This Origin is not registered for the client."),
        "request_header_required": _Meaning(
            "invalid_request", 403, "Send the header Sealring-Request: 1 where tokens come by cookie."
        ),
        # scope and audience
        "invalid_scope": _Meaning("invalid_scope", 400, "Ask for at least one scope that this client may have."),
        "scope_exceeds_grant": _Meaning("invalid_scope", 400, "The session was not granted that scope."),
        "invalid_target": _Meaning(
            "invalid_target", 400, "No single API owns the requested scopes: name its resource."
        ),
        "access_token_over_budget": _Meaning(
            "invalid_request", 400, "This user's access token would exceed the byte budget of the API."
        ),
        # the person
        "wrong_credentials": _Meaning("invalid_grant", 400, "The name or the password is wrong."),
        "account_disabled": _Meaning("invalid_grant", 400, "This account is disabled."),
        "mfa_required": _Meaning("mfa_required", 403, "A second factor is needed to finish signing in."),
        "too_many_attempts": _Meaning("temporarily_unavailable", 429, "Too many failed attempts from here: wait."),
        "sign_in_busy": _Meaning("temporarily_unavailable", 503, "Too many people are signing in: try again."),
        "invalid_login_name": _Meaning("invalid_request", 400, "That cannot be a user name or an e-mail address."),
        "login_name_taken": _Meaning("invalid_request", 409, "Somebody has that user name or e-mail address already."),
        "password_refused": _Meaning("invalid_request", 400, "This password cannot be used: try a passphrase."),
        "invalid_subject": _Meaning(
            "invalid_request", 400, "A subject is 1 to 255 printable ASCII characters, no '@'."
        ),
        "invalid_auth_time": _Meaning("invalid_request", 400, "auth_time lies in the future or over a day back."),
        # refresh tokens: to clients all of them are refresh_refused
        "refresh_refused": _Meaning("invalid_grant", 400, "The refresh token is not valid: sign in again."),
        "refresh_wrong_client": _Meaning("invalid_grant", 400, "The refresh token belongs to another client."),
        "refresh_wrong_binding": _Meaning("invalid_grant", 400, "The refresh token belongs to another browser."),
        "refresh_ended": _Meaning("invalid_grant", 400, "The session has ended."),
        "refresh_ahead": _Meaning("invalid_grant", 400, "The store is older than this token: it was rolled back."),
        "refresh_reused": _Meaning("invalid_grant", 400, "The refresh token was used before: the session is ended."),
        "refresh_expired": _Meaning("invalid_grant", 400, "The session has expired."),
        # /authorize and its pages
        "request_too_long": _Meaning("invalid_request", 400, "The authorization request is longer than 5.5 KiB."),
        "client_not_registered": _Meaning("invalid_request", 400, "There is no such client, or it signs nobody in."),
        "redirect_uri_not_registered": _Meaning(
            "invalid_request", 400, "The redirect URI is not registered for this client."
        ),
        "unsupported_response_type": _Meaning("unsupported_response_type", 400, "There is no response type but code."),
        "code_challenge_required": _Meaning("invalid_request", 400, "Send a code_challenge of the method S256."),
        "request_not_supported": _Meaning("request_not_supported", 400, "Request objects are not taken here."),
        "request_uri_not_supported": _Meaning(
            "request_uri_not_supported", 400, "This client registered no request URIs with keys to its signatures."
        ),
        "invalid_request_uri": _Meaning(
            "invalid_request_uri", 400, "The request URI is not the client's, or nothing could be had from there."
        ),
        "invalid_request_object": _Meaning("invalid_request_object", 400, "The request object is not valid."),
        "registration_not_supported": _Meaning(
            "registration_not_supported", 400, "Clients do not register in a request here."
        ),
        "login_required": _Meaning("login_required", 400, "Somebody would have to sign in."),
        "consent_required": _Meaning("consent_required", 400, "The person would have to be asked."),
        "access_denied": _Meaning("access_denied", 403, "The person said no."),
        "invalid_id_token_hint": _Meaning("invalid_request", 400, "The id_token_hint is no ID token of this client."),
        "logout_redirect_refused": _Meaning(
            "invalid_request", 400, "That address is not registered for this client's log-outs."
        ),
        "interaction_expired": _Meaning(
            "invalid_request", 400, "This page is too old or belongs to another browser: go back and begin anew."
        ),
        "duplicate_cookie": _Meaning(
            "invalid_request", 400, "This browser has two cookies of one name: clear the cookies of this site."
        ),
        "cross_site_form": _Meaning("invalid_request", 403, "The form came from another site."),
        # authorization codes: to clients all of them are code_refused
        "code_refused": _Meaning("invalid_grant", 400, "The authorization code is not valid: begin anew."),
        "code_wrong_client": _Meaning("invalid_grant", 400, "The authorization code belongs to another client."),
        "code_wrong_redirect_uri": _Meaning("invalid_grant", 400, "The redirect URI is not the code's own."),
        "code_wrong_verifier": _Meaning("invalid_grant", 400, "The code_verifier does not answer the challenge."),
        "code_replayed": _Meaning("invalid_grant", 400, "The code was used before: the session it became is ended."),
        "code_expired": _Meaning("invalid_grant", 400, "The authorization code has expired."),
        "code_ended": _Meaning("invalid_grant", 400, "The log-in behind the authorization code has ended."),
        # what is given back at /revoke: told to nobody, and recorded
        "token_of_another_client": _Meaning("invalid_grant", 400, "The token belongs to another client."),
        # bearer tokens at our own endpoints
        "token_missing": _Meaning("invalid_token", 401, "Send an access token as Authorization: Bearer."),
        "token_refused": _Meaning("invalid_token", 401, "The access token is not valid here."),
        "session_ended": _Meaning("invalid_token", 401, "The session of this access token has ended."),
        "initial_access_token_refused": _Meaning(
            "invalid_token", 401, "The initial access token is not valid here, is used up, or has expired."
        ),
        "insufficient_scope": _Meaning("insufficient_scope", 403, "The access token lacks the scope for that."),
        "session_not_found": _Meaning("invalid_request", 404, "There is no such session of yours."),
        # gated hosts
        "gate_proxy_not_trusted": _Meaning(
            "invalid_request", 403, "Only a proxy that is named in server.trusted_proxies may ask that."
        ),
        "gate_key_refused": _Meaning("invalid_request", 403, "The key in Sealring-Gate-Key is not this host's."),
        "gate_session_missing": _Meaning("invalid_token", 401, "Nobody is signed in here: sign in."),
        "ambiguous_target": _Meaning(
            "invalid_request", 403, "The address could be read in two ways: write it without dot segments and the like."
        ),
        "unknown_gate": _Meaning("invalid_request", 404, "There is no such gate."),
        # the revocation feed
        "feed_gap": _Meaning("invalid_request", 410, "The feed cannot go on from there: take a snapshot."),
        "feed_busy": _Meaning("temporarily_unavailable", 429, "Too many readers of this API: wait, or poll."),
        # the operator's side
        "unknown_user": _Meaning("invalid_request", 404, "There is no such user."),
        "unknown_client": _Meaning("invalid_request", 404, "There is no such client."),
        "unknown_api": _Meaning("invalid_request", 404, "There is no such API."),
        "unknown_initial_access_token": _Meaning("invalid_request", 404, "There is no such initial access token."),
        "unknown_act": _Meaning("invalid_request", 404, "There is no such act."),
        "client_disabled": _Meaning("invalid_request", 409, "This client is disabled."),
        "issuer_api_refused": _Meaning(
            "invalid_request", 400, "Tokens of the issuer's own API are for people who signed in, and for nobody else."
        ),
        "ambiguous_user": _Meaning("invalid_request", 400, "That is a subject and somebody else's login name."),
        "still_in_use": _Meaning("invalid_request", 409, "Something else still refers to it: change that first."),
        "changed_meanwhile": _Meaning(
            "invalid_request", 409, "Somebody else changed it at the same time: look at it and try again."
        ),
        "already_registered": _Meaning(
            "invalid_request", 409, "That name is registered already: update it, or choose another."
        ),
        "invalid_registration": _Meaning("invalid_request", 400, "The registration does not hold together."),
        "invalid_client_metadata": _Meaning(
            "invalid_client_metadata", 400, "What the client says of itself does not hold together."
        ),
        "invalid_redirect_uri": _Meaning("invalid_redirect_uri", 400, "A redirect URI may not be registered so."),
        "registration_limited": _Meaning(
            "temporarily_unavailable", 429, "Too many clients were registered from here: wait."
        ),
        "registration_full": _Meaning("invalid_request", 403, "No more clients may register themselves here."),
        "registration_managed_by_operator": _Meaning(
            "invalid_request", 403, "The operator has taken this client over: only there it is changed."
        ),
        "personal_claims_refused": _Meaning(
            "invalid_request", 400, "Personal data does not belong in a signed-only token."
        ),
        "long_access_tokens_refused": _Meaning("invalid_request", 400, "Access tokens live at most one hour."),
        "reserved_claim": _Meaning("invalid_request", 400, "A custom claim may not take a registered claim's name."),
        "server_running": _Meaning("invalid_request", 409, "Stop the server first: its keys belong to this store."),
        "backup_refused": _Meaning("invalid_request", 409, "The copy cannot be written there."),
        "rewrap_refused": _Meaning("invalid_request", 409, "The master key cannot be changed so."),
        "master_key_unwritable": _Meaning("invalid_request", 409, "The master key's file cannot be replaced."),
        "master_key_exists": _Meaning("invalid_request", 409, "There is a file already: no key is overwritten."),
        "unknown_key_id": _Meaning(
            "invalid_request", 404, "There is no such key, or it has left already: `sealring keys list` shows them."
        ),
        "key_not_ready": _Meaning("invalid_request", 409, "The next key is not known to every verifier yet: wait."),
        "audit_broken": _Meaning("invalid_request", 409, "The audit does not hold: something was altered or removed."),
        "link_refused": _Meaning("invalid_grant", 400, "The link is spent, expired or not ours: make a new one."),
        # the house
        "store_unavailable": _Meaning("temporarily_unavailable", 503, "The store cannot take this now: try again."),
        "no_signing_key": _Meaning(
            "temporarily_unavailable", 503, "This API has no secret to sign with: its operator has to make one."
        ),
        "store_rolled_back": _Meaning("temporarily_unavailable", 503, "The store needs `sealring recover` first."),
        "internal_error": _Meaning("server_error", 500, "Something went wrong on our side."),
    }
)


def refuse(
    code: str,
    *,
    description: str | None = None,
    error_id: str | None = None,
    retry_after: int | None = None,
    scope: str | None = None,
) -> OAuthError:
    """Make the refusal of `code` (a member of CODES); `description` replaces its sentence and never holds a secret."""
    meaning = CODES[code]
    return OAuthError(
        error=meaning.error,
        code=code,
        description=meaning.description if description is None else description,
        status=meaning.status,
        error_id=error_id,
        retry_after=retry_after,
        scope=scope,
    )
