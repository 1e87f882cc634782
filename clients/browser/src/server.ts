import { SealringError } from "./errors.ts";
import { sleep } from "./tabs.ts";

/** What a log-in and a refresh answer (RFC 6749 §5.1). */
export interface TokenAnswer {
  access_token: string;
  expires_in: number;
  id_token?: string;
}

const ANSWERED_WITHIN = 10_000;
const TRIES = 4;

/**
 * Ask one of the cookie endpoints, and again where no answer came or the server is busy: it repeats what got lost.
 *
 * `once`: not where no answer came. A code that comes twice ends what it began (RFC 6749 §4.1.2). Throws the server's refusal, `offline` or `unreachable`.
 */
export async function askServer(
  method: "POST" | "DELETE",
  address: string,
  body: string,
  mediaType: string,
  once = false,
): Promise<TokenAnswer | undefined> {
  for (let tried = 1; ; tried++) {
    try {
      return await askOnce(method, address, body, mediaType);
    } catch (problem) {
      if (!(problem instanceof SealringError) || tried === TRIES) throw problem;
      const wait = problem.retryAfter ?? 250 * 2 ** tried;
      if (!passes(problem) || wait > ANSWERED_WITHIN || (once && problem.code === "unreachable")) throw problem;
      // So that tabs and browsers that lost the server at once do not come back at once.
      await sleep(wait * (0.5 + Math.random() / 2));
    }
  }
}

async function askOnce(method: string, address: string, body: string, mediaType: string): Promise<TokenAnswer | undefined> {
  if (navigator.onLine === false) throw new SealringError("offline");
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(address, {
      method,
      body,
      credentials: "include",
      headers: { "Content-Type": mediaType, "Sealring-Request": "1" },
      signal: AbortSignal.timeout(ANSWERED_WITHIN),
    });
    text = await answer.text();
  } catch {
    throw new SealringError("unreachable");
  }
  if (answer.status === 204) return undefined;
  const members = parse(text);
  if (answer.ok) return members as unknown as TokenAnswer;
  const after = Number(answer.headers.get("Retry-After") ?? NaN) * 1000;
  throw new SealringError(
    members["code"] ?? "unreachable",
    members["error_description"],
    answer.status,
    Number.isFinite(after) ? after : undefined,
  );
}

function parse(text: string): Record<string, string> {
  try {
    return Object(JSON.parse(text)) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Say whether the same request may succeed a little later. */
export function passes({ code, status = 0 }: SealringError): boolean {
  return code === "unreachable" || status === 429 || status >= 500;
}
