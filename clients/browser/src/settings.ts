import { SealringError } from "./errors.ts";

/** What a page says of itself and of the APIs that it calls. */
export interface Settings {
  /** As it stands in the tokens: `https://app.example.com/auth`. */
  issuer: string;
  clientId: string;
  /** What people are asked for, with single spaces: `openid orders:read`. */
  scope: string;
  /** Where people come back to, as it is registered; `/` at this page's host where it is left away. */
  redirectUri?: string;
  /** Who gets a token: origin → the name of its API, as in `{"https://api.example.com": "orders"}`. */
  apis?: Record<string, string>;
}

/** Settings that were looked at: addresses are whole, and all of them https, or this machine's own. */
export interface CheckedSettings {
  issuer: string;
  clientId: string;
  scope: string;
  redirectUri: string;
  apis: ReadonlyMap<string, string>;
  /** The API whose token is given where none is named: the first; "" where there is none, for the issuer itself. */
  resource: string;
}

/** Look at the settings before anything is sent. Throws `settings_refused`. */
export function checkSettings(settings: Settings, here: string): CheckedSettings {
  const apis = new Map<string, string>();
  for (const [origin, api] of Object.entries(settings.apis ?? {})) {
    const url = safeUrl(origin);
    if (url.origin !== origin) throw new SealringError("settings_refused", `${origin} is no origin: ${url.origin} is`);
    apis.set(origin, api);
  }
  return {
    issuer: safeUrl(settings.issuer).href.replace(/\/$/, ""),
    clientId: settings.clientId,
    scope: settings.scope,
    redirectUri: new URL(settings.redirectUri ?? "/", here).href,
    apis,
    resource: [...apis.values()][0] ?? "",
  };
}

/** Say whether a token may travel there: by https, or to this machine. */
export function isSafe(url: URL): boolean {
  return url.protocol === "https:" || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
}

function safeUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !isSafe(url)) throw new SealringError("settings_refused", `${text} is no https address`);
  return url;
}
