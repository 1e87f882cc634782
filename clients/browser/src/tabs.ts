/** An access token at hand. Times are milliseconds since 1970. */
export interface Token {
  value: string;
  /** From when on a successor is fetched ahead. */
  renewAt: number;
  expiresAt: number;
}

/**
 * What tabs of one origin say to one another.
 *
 * Access tokens are among it: whatever script hears them runs in this origin, and could ask the server for one itself.
 */
export type Said =
  | { kind: "token"; resource: string; token: Token }
  | { kind: "asked"; resource: string; refused: string | undefined }
  | { kind: "signed_in" }
  | { kind: "signed_out" }
  | { kind: "failed"; code: string; retryAfter: number | undefined }
  | { kind: "returned"; answer: string }
  | { kind: "claims" | "holds"; by: string };

const ANSWERED_WITHIN = 50;
const HELD_AT_MOST = 15_000;

/** The tabs of one origin that are one client of one issuer. */
export class Tabs {
  readonly #channel: BroadcastChannel;
  readonly #name: string;
  readonly #hear: (said: Said) => void;
  #last: Promise<unknown> = Promise.resolve();
  #holds: string | undefined;
  #others: ((said: Said) => void) | undefined;
  #answered: (() => void) | undefined;

  constructor(name: string, hear: (said: Said) => void) {
    this.#name = name;
    this.#hear = hear;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => this.#receive(data);
  }

  say(said: Said): void {
    this.#channel.postMessage(said);
  }

  close(): void {
    this.#channel.close();
  }

  /** Ask for a token that another tab has at hand, but for the `refused`; `found`: there is nothing more to wait for. */
  async ask(resource: string, refused: string | undefined, found: () => boolean): Promise<void> {
    if (found()) return;
    await new Promise<void>((done) => {
      // One timer and no polling: in a tab long out of sight browsers let a chain of timers go on once a minute.
      const end = setTimeout(done, ANSWERED_WITHIN);
      this.#answered = () => {
        if (!found()) return;
        clearTimeout(end);
        done();
      };
      this.say({ kind: "asked", resource, refused });
    });
    this.#answered = undefined;
  }

  /** Do something while no other tab does: by Web Locks, else by asking the others. */
  exclusively<T>(act: () => Promise<T>): Promise<T> {
    const { locks } = navigator as { locks?: LockManager };
    return locks ? (locks.request(this.#name, act) as Promise<T>) : this.#byWord(act);
  }

  #byWord<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => this.#claim(act));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** The tab whose name sorts first goes first; who holds says so, and is believed for as long as an act may take. */
  async #claim<T>(act: () => Promise<T>): Promise<T> {
    const own = Math.random().toString(36);
    for (const until = Date.now() + HELD_AT_MOST; Date.now() < until; ) {
      let free = true;
      this.#others = (said) => {
        if (said.kind === "holds" || (said.kind === "claims" && said.by < own)) free = false;
        // Who claims later has not heard this one.
        else if (said.kind === "claims") this.say({ kind: "claims", by: own });
      };
      this.say({ kind: "claims", by: own });
      await sleep(ANSWERED_WITHIN);
      if (free) break;
    }
    this.#others = undefined;
    this.#holds = own;
    try {
      return await act();
    } finally {
      this.#holds = undefined;
    }
  }

  #receive(said: Said): void {
    if (said.kind === "claims" && this.#holds) this.say({ kind: "holds", by: this.#holds });
    this.#others?.(said);
    this.#hear(said);
    this.#answered?.();
  }
}

/** Wait; milliseconds. */
export function sleep(time: number): Promise<void> {
  return new Promise((done) => setTimeout(done, time));
}
