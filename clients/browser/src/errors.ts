/** The codes that this library itself refuses by; every other code is the server's own (docs/reference/codes.md). */
export type ClientCode =
  | "not_signed_in"
  | "offline"
  | "unreachable"
  | "origin_not_allowed"
  | "settings_refused"
  | "popup_blocked"
  | "sign_in_expired"
  | "state_mismatch"
  | "issuer_mismatch"
  | "id_token_refused";

/** Why something was refused; `code` is stable, and what a program decides by. */
export class SealringError extends Error {
  readonly code: string;
  /** Of the server's answer; absent where there was none. */
  readonly status: number | undefined;
  /** Milliseconds after which the server wants to be asked again. */
  readonly retryAfter: number | undefined;

  constructor(code: ClientCode | (string & {}), description?: string, status?: number, retryAfter?: number) {
    super(description ? `${code}: ${description}` : code);
    this.name = "SealringError";
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
