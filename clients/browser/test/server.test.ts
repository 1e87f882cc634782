import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { askServer } from "../src/server.ts";

type Answer = Response | Error;

afterEach(() => mock.restoreAll());

function answers(...given: Answer[]): { asked: RequestInit[] } {
  const asked: RequestInit[] = [];
  mock.method(globalThis, "fetch", async (_address: string, init: RequestInit) => {
    asked.push(init);
    const answer = given[Math.min(asked.length, given.length) - 1];
    if (!(answer instanceof Response)) throw answer;
    return answer.clone();
  });
  // Waiting is counted, not waited.
  mock.method(globalThis, "setTimeout", (act: () => void, time: number) => {
    waited.push(time);
    queueMicrotask(act);
  });
  waited.length = 0;
  return { asked };
}
const waited: number[] = [];

const TOKENS = { access_token: "t", expires_in: 600 };
const ask = () => askServer("POST", "https://app.example.com/auth/session/refresh", "{}", "application/json");
const refusal = (status: number, code: string, headers: Record<string, string> = {}) =>
  Response.json({ error: "x", code, error_description: "why" }, { status, headers });
const coded = (code: string) => (problem: unknown) => (problem as { code: string }).code === code;

test("a request shows its cookies and the header that no form can send", async () => {
  const { asked } = answers(Response.json(TOKENS));
  assert.deepEqual(await ask(), TOKENS);
  const [sent] = asked;
  assert.equal(sent?.credentials, "include");
  assert.deepEqual(sent?.headers, { "Content-Type": "application/json", "Sealring-Request": "1" });
});

test("a refusal is told by the server's code and asked once", async () => {
  const { asked } = answers(refusal(400, "refresh_refused"));
  await assert.rejects(ask(), coded("refresh_refused"));
  assert.equal(asked.length, 1);
});

test("a lost answer and a busy server are asked again, later each time and not in step", async () => {
  const { asked } = answers(new TypeError("lost"), refusal(503, "store_unavailable"), refusal(429, "too_many", {}), Response.json(TOKENS));
  assert.deepEqual(await ask(), TOKENS);
  assert.equal(asked.length, 4);
  assert.equal(waited.length, 3);
  waited.forEach((time, turn) => assert.ok(time >= 250 * 2 ** turn && time <= 500 * 2 ** turn, `${waited}`));
});

test("what may be sent once alone is sent again only where the server did nothing", async () => {
  const spend = () => askServer("POST", "https://app.example.com/auth/token", "code=c", "application/x-www-form-urlencoded", true);
  for (const lost of [new TypeError("lost"), new Response("<html>", { status: 504 })]) {
    const { asked } = answers(lost);
    await assert.rejects(spend(), coded("unreachable"));
    assert.equal(asked.length, 1);
  }
  answers(refusal(503, "store_unavailable"), Response.json(TOKENS));
  assert.deepEqual(await spend(), TOKENS);
});

test("it gives up after four tries, and says why", async () => {
  const { asked } = answers(new TypeError("lost"));
  await assert.rejects(ask(), coded("unreachable"));
  assert.equal(asked.length, 4);
});

test("a server that wants to be left alone is", async () => {
  const { asked } = answers(refusal(503, "store_unavailable", { "Retry-After": "60" }));
  await assert.rejects(ask(), (problem: { retryAfter?: number }) => problem.retryAfter === 60_000);
  assert.equal(asked.length, 1);
});

test("what is not from Sealring is no answer of it", async () => {
  for (const body of ["<html>", "null", "[]", "7", ""]) {
    answers(new Response(body, { status: 502 }));
    await assert.rejects(ask(), coded("unreachable"), body);
  }
});
