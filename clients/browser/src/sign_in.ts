import { SealringError } from "./errors.ts";
import type { CheckedSettings } from "./settings.ts";

/** How somebody shall sign in. */
export interface SignInOptions {
  /** In a window of its own, so that this page stays. */
  popup?: boolean;
  /** More or less than the settings ask for. */
  scope?: string;
  /** `login`: ask for the password even where somebody is signed in. */
  prompt?: "login" | "consent" | "select_account";
  loginHint?: string;
}

/** A sign-in that was begun and has not come back. No token is in it; it is good once, for ten minutes. */
export interface Pending {
  state: string;
  nonce: string;
  /** RFC 7636 §4.1. */
  verifier: string;
  /** Whether an ID token is to come (OpenID Connect Core §3.1.2.1). */
  asksWho: boolean;
  /** Milliseconds since 1970. */
  begunAt: number;
  /** Where the person was. */
  from: string;
}

/** How long a sign-in may take; milliseconds. */
export const LIFETIME = 600_000;
const POPUP = "p.";

/** Begin: 256 random bits each for state, nonce and verifier. The state says whether a window of its own comes back. */
export function begin(popup: boolean, from: string, now: number, asksWho: boolean): Pending {
  return { state: (popup ? POPUP : "r.") + random(), nonce: random(), verifier: random(), asksWho, begunAt: now, from };
}

/** Say whether the state of an answer is of a sign-in in a window of its own. */
export function isPopup(state: string): boolean {
  return state.startsWith(POPUP);
}

/** Write the authorization request (OpenID Connect Core §3.1.2.1, RFC 7636 §4.3). */
export async function authorizationUrl(pending: Pending, settings: CheckedSettings, options: SignInOptions): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: settings.clientId,
    redirect_uri: settings.redirectUri,
    scope: options.scope ?? settings.scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  for (const resource of new Set(settings.apis.values())) query.append("resource", resource);
  if (options.prompt) query.set("prompt", options.prompt);
  if (options.loginHint) query.set("login_hint", options.loginHint);
  return `${settings.issuer}/authorize?${query}`;
}

/** Take the answer out of an address; undefined where there is none (RFC 9207: `iss` is in every answer of ours). */
export function findAnswer(address: string, redirectUri: string): URLSearchParams | undefined {
  const url = new URL(address);
  const { searchParams } = url;
  if (!["state", "iss"].every((name) => searchParams.has(name))) return undefined;
  return url.origin + url.pathname === redirectUri.split("?")[0] ? searchParams : undefined;
}

/** Judge the answer, and give its code. Throws the server's refusal, or why it is not the answer to what was begun. */
export function judgeAnswer(answer: URLSearchParams, pending: Pending | undefined, issuer: string, now: number): string {
  if (answer.get("state") !== pending?.state) throw new SealringError("state_mismatch", "no sign-in of this page was begun so");
  if (answer.get("iss") !== issuer) throw new SealringError("issuer_mismatch");
  const age = now - pending.begunAt;
  if (age < 0 || age > LIFETIME) throw new SealringError("sign_in_expired");
  const code = answer.get("code");
  const error = answer.get("error");
  if (error !== null || code === null) throw new SealringError(error ?? "state_mismatch", answer.get("error_description") ?? undefined);
  return code;
}

/**
 * Check an ID token that came from the issuer itself, over TLS (OpenID Connect Core §3.1.3.7). Throws `id_token_refused`.
 *
 * `elapsed`: milliseconds since the sign-in was begun. Its nonce says that the token is younger than that, so `exp` is
 * judged by the issuer's clock alone: many a machine's own is hours off.
 */
export function checkIdToken(idToken: string, nonce: string, settings: CheckedSettings, elapsed: number): void {
  let claims: Record<string, unknown>;
  try {
    const payload = (idToken.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    claims = Object(JSON.parse(atob(payload))) as Record<string, unknown>;
  } catch {
    throw new SealringError("id_token_refused", "unreadable");
  }
  const wrong =
    claims["iss"] !== settings.issuer ? "iss"
    : claims["aud"] !== settings.clientId ? "aud"
    : claims["nonce"] !== nonce ? "nonce"
    : !((Number(claims["exp"]) - Number(claims["iat"])) * 1000 > elapsed - 60_000) ? "exp"
    : undefined;
  if (wrong) throw new SealringError("id_token_refused", wrong);
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
