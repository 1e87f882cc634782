import { SealringError } from "./errors.ts";
import { askServer, passes, type TokenAnswer } from "./server.ts";
import { checkSettings, isSafe, type CheckedSettings, type Settings } from "./settings.ts";
import {
  authorizationUrl,
  begin,
  checkIdToken,
  findAnswer,
  isPopup,
  judgeAnswer,
  LIFETIME,
  type Pending,
  type SignInOptions,
} from "./sign_in.ts";
import { Tabs, type Said, type Token } from "./tabs.ts";

const LAST_MOMENTS = 5_000;

/** One page's sign-in: tokens lie in private members, which no other script can read, and in no storage. */
export class Sealring {
  readonly #settings: CheckedSettings;
  readonly #tabs: Tabs;
  readonly #listeners = new Set<(signedIn: boolean) => void>();
  readonly #tokens = new Map<string, Token>();
  readonly #flights = new Map<string, Promise<Token>>();
  readonly #begun: Promise<void>;
  /** Undefined where the server has to be asked. */
  #signedIn: boolean | undefined;
  /** What listeners may go by: the last that was known. */
  #told: boolean | undefined;
  /** Somebody signed in since then, perhaps another person. */
  #anew = false;
  #idToken: string | undefined;
  #popup: { pending: Pending; done: (answer: URLSearchParams) => void; left: (problem: unknown) => void } | undefined;
  #failed: unknown;
  /** The last token that an API answered 401 to. */
  #refused: string | undefined;
  /** The last refresh, of whichever tab, that came to nothing but may succeed later; `at` by this tab's `performance.now`. */
  #lost: { problem: SealringError; at: number } | undefined;
  /** Steps at each log-out, so that what was asked before it gives nothing after it. */
  #age = 0;

  /** Throws `settings_refused`. Nothing is sent before a token is needed, but where this page is a return from the log-in. */
  constructor(settings: Settings) {
    this.#settings = checkSettings(settings, location.href);
    this.#tabs = new Tabs(`sealring ${this.#settings.issuer} ${settings.clientId}`, (said) => this.#hear(said));
    this.#begun = this.#comeBack().catch((problem: unknown) => {
      this.#failed = problem;
    });
  }

  /** Whether somebody is signed in, as far as this page knows by now; undefined before it asked. */
  get known(): boolean | undefined {
    return this.#signedIn;
  }

  /**
   * Say whether somebody is signed in, and finish a sign-in that came back to this page.
   *
   * Throws why that sign-in failed (`access_denied`, `state_mismatch` …), `offline` or `unreachable`.
   */
  async signedIn(): Promise<boolean> {
    await this.#begun;
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed) throw failed;
    if (this.#signedIn === undefined) {
      try {
        await this.#renew(this.#settings.resource);
      } catch (problem) {
        if (!isCode(problem, "not_signed_in")) throw problem;
      }
    }
    return this.#signedIn === true;
  }

  /**
   * Send the person to the log-in page: this page is left, or, with `popup`, waits for the window to come back.
   *
   * Call it from a click where `popup` is wanted. Throws `popup_blocked`, or what `signedIn` throws of a failed sign-in.
   */
  async signIn(options: SignInOptions = {}): Promise<void> {
    const asksWho = (options.scope ?? this.#settings.scope).split(" ").includes("openid");
    const pending = begin(!!options.popup, location.href, Date.now(), asksWho);
    if (!options.popup) {
      sessionStorage.setItem(this.#key(), JSON.stringify(pending));
      location.assign(await authorizationUrl(pending, this.#settings, options));
      return new Promise(() => undefined); // the page is left
    }
    // Before anything is awaited: a browser opens windows for a click alone.
    const opened = open("", "_blank", "popup,width=480,height=720");
    if (!opened) throw new SealringError("popup_blocked");
    this.#popup?.left(new SealringError("sign_in_expired", "another one was begun"));
    const answered = new Promise<URLSearchParams>((done, left) => {
      this.#popup = { pending, done, left };
      // Nothing tells that the window was closed: the log-in page cuts the tie between the two.
      setTimeout(left, LIFETIME, new SealringError("sign_in_expired"));
    });
    opened.location.href = await authorizationUrl(pending, this.#settings, options);
    const answer = await answered;
    this.#told ??= false;
    await this.#redeem(answer, pending);
  }

  /**
   * End this page's session, in all its tabs and at every API.
   *
   * `everyApplication`: end the sign-in at the issuer too, and go to `returnTo`; it must be registered for log-out.
   */
  async signOut(options: { everyApplication?: boolean; returnTo?: string } = {}): Promise<void> {
    const { issuer, clientId } = this.#settings;
    const idToken = this.#idToken;
    this.#forget();
    this.#tabs.say({ kind: "signed_out" });
    await this.#tabs.exclusively(() => this.#ask("DELETE", "/session", {}));
    // Once more, for a tab that had a token in its hands when it was told.
    this.#forget();
    this.#tabs.say({ kind: "signed_out" });
    if (options.everyApplication) {
      const query = new URLSearchParams({ client_id: clientId });
      if (idToken) query.set("id_token_hint", idToken);
      if (options.returnTo) query.set("post_logout_redirect_uri", options.returnTo);
      location.assign(`${issuer}/logout?${query}`);
    }
  }

  /**
   * Give an access token that is good for a moment at least, for the API `resource`, or the one that the scopes name.
   *
   * It is renewed ahead of its expiry while it is used. Throws `not_signed_in`, `offline`, `unreachable`, or the server's refusal.
   */
  async getAccessToken(resource: string = this.#settings.resource): Promise<string> {
    await this.#begun;
    const now = Date.now();
    const token = this.#tokens.get(resource);
    if (!token || now > token.expiresAt - LAST_MOMENTS) return (await this.#renew(resource)).value;
    if (now > token.renewAt) this.#renew(resource).catch(() => undefined); // the one at hand is good meanwhile
    return token.value;
  }

  /**
   * Fetch from an API of the settings with its token, and once more with a new one where the answer is 401.
   *
   * Redirects are errors, or with `redirect: "manual"` answers, and never followed. Throws `origin_not_allowed` before anything is sent, what
   * `getAccessToken` throws, and what `fetch` throws. A 503 is an answer as any other.
   */
  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const redirect = init?.redirect === "manual" ? "manual" : "error";
    const request = new Request(input, { ...init, redirect });
    const url = new URL(request.url);
    const resource = this.#settings.apis.get(url.origin);
    if (resource === undefined || !isSafe(url)) throw new SealringError("origin_not_allowed", url.origin);
    const token = await this.getAccessToken(resource);
    const answer = await fetch(withToken(request.clone(), token));
    if (answer.status !== 401) return answer;
    this.#refused = token;
    if (this.#tokens.get(resource)?.value === token) this.#tokens.delete(resource);
    let renewed: string;
    try {
      renewed = await this.getAccessToken(resource);
    } catch {
      return answer;
    }
    return fetch(withToken(request, renewed));
  }

  /** Tell `listener` of each sign-in and log-out from now on, in whichever tab. Call what is given back to end that. */
  onChange(listener: (signedIn: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #comeBack(): Promise<void> {
    const answer = findAnswer(location.href, this.#settings.redirectUri);
    if (!answer) return;
    if (isPopup(answer.get("state") ?? "")) {
      history.replaceState(null, "", this.#settings.redirectUri);
      this.#tabs.say({ kind: "returned", answer: answer.toString() });
      close();
      return;
    }
    const kept = sessionStorage.getItem(this.#key());
    sessionStorage.removeItem(this.#key());
    const pending = kept ? (JSON.parse(kept) as Pending) : undefined;
    history.replaceState(null, "", pending?.state === answer.get("state") ? pending.from : this.#settings.redirectUri);
    await this.#redeem(answer, pending);
  }

  async #redeem(answer: URLSearchParams, pending: Pending | undefined): Promise<void> {
    const settings = this.#settings;
    const code = judgeAnswer(answer, pending, settings.issuer, Date.now());
    const form = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: settings.redirectUri,
      client_id: settings.clientId,
      code_verifier: pending?.verifier ?? "",
    });
    if (settings.resource) form.set("resource", settings.resource);
    await this.#tabs.exclusively(async () => {
      const given = await this.#spend(form);
      try {
        if (pending && (pending.asksWho || given.id_token))
          checkIdToken(given.id_token ?? "", pending.nonce, settings, Date.now() - pending.begunAt);
      } catch (problem) {
        // The cookies of this sign-in have come, and would be believed after a reload.
        await this.#ask("DELETE", "/session", {}).catch(() => undefined);
        this.#forget();
        this.#tabs.say({ kind: "signed_out" });
        throw problem;
      }
      this.#beginAnew();
      this.#tabs.say({ kind: "signed_in" });
      this.#idToken = given.id_token;
      this.#keep(settings.resource, given);
    });
  }

  /** Redeem a code, whose answer may get lost when it has signed somebody in: then a refresh tells who. */
  async #spend(form: URLSearchParams): Promise<TokenAnswer> {
    try {
      const given = await askServer("POST", `${this.#settings.issuer}/token`, `${form}`, "application/x-www-form-urlencoded", true);
      if (given) return given;
    } catch (problem) {
      if (!isCode(problem, "unreachable")) throw problem;
    }
    this.#beginAnew();
    this.#tabs.say({ kind: "signed_in" });
    throw new SealringError("unreachable");
  }

  /** Renew once, whoever asks at the same time, in this tab and in the others. */
  #renew(resource: string): Promise<Token> {
    const flying = this.#flights.get(resource);
    if (flying) return flying;
    const since = performance.now();
    const flight = this.#tabs
      .exclusively(() => this.#renewAlone(resource, since))
      .finally(() => this.#flights.delete(resource));
    this.#flights.set(resource, flight);
    return flight;
  }

  /** `since`: when it began to wait for its turn. */
  async #renewAlone(resource: string, since: number): Promise<Token> {
    const fresh = (): Token | undefined => {
      const token = this.#tokens.get(resource);
      return token && Date.now() <= token.renewAt ? token : undefined;
    };
    const lost = (): SealringError | undefined => (this.#lost && this.#lost.at > since ? this.#lost.problem : undefined);
    await this.#tabs.ask(resource, this.#refused, () => !!fresh() || !!lost() || this.#signedIn === false);
    const shared = fresh();
    if (shared) return shared;
    if (this.#signedIn === false) throw new SealringError("not_signed_in");
    // It has tried four times, and there may be ten tabs that wait.
    const problem = lost();
    if (problem) throw problem;
    const age = this.#age;
    try {
      const given = await this.#ask("POST", "/session/refresh", resource ? { resource } : {});
      if (given && age === this.#age) return this.#keep(resource, given);
    } catch (problem) {
      if (!isCode(problem, "refresh_refused")) {
        if (problem instanceof SealringError && passes(problem)) {
          this.#lose(problem);
          this.#tabs.say({ kind: "failed", code: problem.code, retryAfter: problem.retryAfter });
        }
        throw problem;
      }
      this.#forget();
      this.#tabs.say({ kind: "signed_out" });
    }
    throw new SealringError("not_signed_in");
  }

  #ask(method: "POST" | "DELETE", path: string, members: object): Promise<TokenAnswer | undefined> {
    const { issuer, clientId } = this.#settings;
    return askServer(method, issuer + path, JSON.stringify({ client_id: clientId, ...members }), "application/json");
  }

  #keep(resource: string, given: TokenAnswer): Token {
    const now = Date.now();
    const life = given.expires_in * 1000;
    const token = { value: given.access_token, renewAt: now + life * 0.8, expiresAt: now + life };
    this.#tokens.set(resource, token);
    this.#tabs.say({ kind: "token", resource, token });
    this.#turn(true);
    return token;
  }

  #forget(): void {
    this.#drop();
    this.#turn(false);
  }

  /** Somebody signs in, perhaps another person than before, whose tokens these are not. */
  #beginAnew(): void {
    this.#drop();
    this.#signedIn = undefined;
    this.#anew = true;
  }

  #drop(): void {
    this.#age++;
    this.#tokens.clear();
    this.#idToken = undefined;
  }

  #lose(problem: SealringError): void {
    this.#lost = { problem, at: performance.now() };
  }

  #turn(signedIn: boolean): void {
    const before = this.#told;
    const same = before === signedIn && !(signedIn && this.#anew);
    this.#signedIn = this.#told = signedIn;
    this.#anew = false;
    // The first that is known is no change: a listener that loads the page anew would do so for ever.
    if (before === undefined || same) return;
    for (const listener of this.#listeners) listener(signedIn);
  }

  #hear(said: Said): void {
    if (said.kind === "asked") {
      const token = this.#tokens.get(said.resource);
      if (token?.value === said.refused) this.#tokens.delete(said.resource);
      else if (token && Date.now() <= token.renewAt) this.#tabs.say({ kind: "token", resource: said.resource, token });
    } else if (said.kind === "token") {
      if (said.token.value === this.#refused) return;
      this.#tokens.set(said.resource, said.token);
      this.#turn(true);
    } else if (said.kind === "signed_in") {
      this.#beginAnew();
    } else if (said.kind === "signed_out") {
      this.#forget();
    } else if (said.kind === "failed") {
      this.#lose(new SealringError(said.code, "as another tab was told", undefined, said.retryAfter));
    } else if (said.kind === "returned") {
      const answer = new URLSearchParams(said.answer);
      const waiting = this.#popup;
      if (waiting?.pending.state !== answer.get("state")) return;
      this.#popup = undefined;
      waiting.done(answer);
    }
  }

  #key(): string {
    return `sealring ${this.#settings.clientId}`;
  }
}

function withToken(request: Request, token: string): Request {
  const headers = new Headers(request.headers);
  headers.set("Authorization", `Bearer ${token}`);
  return new Request(request, { headers });
}

function isCode(problem: unknown, code: string): boolean {
  return problem instanceof SealringError && problem.code === code;
}
