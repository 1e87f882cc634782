import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSettings } from "../src/settings.ts";
import { authorizationUrl, begin, checkIdToken, findAnswer, isPopup, judgeAnswer } from "../src/sign_in.ts";

const HERE = "https://app.example.com/lamps?shade=green#top";
const SETTINGS = checkSettings(
  {
    issuer: "https://app.example.com/auth",
    clientId: "page",
    scope: "openid orders:read",
    apis: { "https://api.example.com": "orders", "https://stock.example.com": "stock" },
  },
  HERE,
);
const NOW = 1_800_000_000_000;
const ISS = SETTINGS.issuer;

const coded = (code: string) => (problem: unknown) => (problem as { code: string }).code === code;
const idToken = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

test("a request has everything that the answer is checked by, and no verifier", async () => {
  const pending = begin(false, HERE, NOW, true);
  const url = new URL(await authorizationUrl(pending, SETTINGS, { prompt: "login", loginHint: "ada" }));
  assert.equal(url.origin + url.pathname, "https://app.example.com/auth/authorize");
  const query = Object.fromEntries(url.searchParams);
  assert.equal(query["response_type"], "code");
  assert.equal(query["redirect_uri"], "https://app.example.com/");
  assert.equal(query["scope"], "openid orders:read");
  assert.equal(query["code_challenge_method"], "S256");
  assert.deepEqual([query["state"], query["nonce"], query["prompt"], query["login_hint"]], [pending.state, pending.nonce, "login", "ada"]);
  assert.deepEqual(url.searchParams.getAll("resource"), ["orders", "stock"]);
  assert.ok(!url.href.includes(pending.verifier));
});

test("the challenge is the one of RFC 7636, appendix B", async () => {
  const pending = { ...begin(false, HERE, NOW, true), verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" };
  const url = new URL(await authorizationUrl(pending, SETTINGS, {}));
  assert.equal(url.searchParams.get("code_challenge"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

test("no two sign-ins share a value, and each has 256 bits", () => {
  const values = Array.from({ length: 50 }, () => begin(true, HERE, NOW, true)).flatMap(({ state, nonce, verifier }) => [state, nonce, verifier]);
  assert.equal(new Set(values).size, values.length);
  assert.ok(values.every((value) => /^(p\.)?[A-Za-z0-9_-]{43}$/.test(value)));
});

test("the state says whether a window of its own comes back", () => {
  assert.ok(isPopup(begin(true, HERE, NOW, true).state));
  assert.ok(!isPopup(begin(false, HERE, NOW, true).state));
});

test("an answer is found at the redirect URI alone, with state and iss", () => {
  const found = (address: string) => findAnswer(address, SETTINGS.redirectUri) !== undefined;
  assert.ok(found(`https://app.example.com/?code=c&state=s&iss=${ISS}`));
  assert.ok(found(`https://app.example.com/?error=access_denied&state=s&iss=${ISS}`));
  for (const other of [
    "https://app.example.com/",
    "https://app.example.com/?code=c&state=s",
    `https://app.example.com/?code=c&iss=${ISS}`,
    `https://app.example.com/lamps?code=c&state=s&iss=${ISS}`,
    `https://app.example.com/#code=c&state=s&iss=${ISS}`,
  ]) assert.ok(!found(other), other);
});

test("the answer to what was begun gives its code", () => {
  const pending = begin(false, HERE, NOW, true);
  const answer = new URLSearchParams({ code: "c", state: pending.state, iss: ISS });
  assert.equal(judgeAnswer(answer, pending, ISS, NOW + 600_000), "c");
});

test("anything else is refused by name", () => {
  const pending = begin(false, HERE, NOW, true);
  const good = { code: "c", state: pending.state, iss: ISS };
  const judge = (members: Record<string, string>, known: typeof pending | undefined, now = NOW) =>
    () => judgeAnswer(new URLSearchParams(members), known, ISS, now);
  assert.throws(judge({ ...good, state: "r.other" }, pending), coded("state_mismatch"));
  assert.throws(judge({ ...good, state: "" }, pending), coded("state_mismatch"));
  assert.throws(judge(good, undefined), coded("state_mismatch"));
  assert.throws(judge({ code: "c", iss: ISS }, undefined), coded("state_mismatch"));
  assert.throws(judge({ ...good, iss: "https://evil.example" }, pending), coded("issuer_mismatch"));
  assert.throws(judge({ ...good, iss: `${ISS}/` }, pending), coded("issuer_mismatch"));
  assert.throws(judge(good, pending, NOW + 600_001), coded("sign_in_expired"));
  assert.throws(judge(good, pending, NOW - 1), coded("sign_in_expired"));
  assert.throws(judge({ state: pending.state, iss: ISS }, pending), coded("state_mismatch"));
  assert.throws(judge({ ...good, error: "access_denied" }, pending), coded("access_denied"));
});

test("an ID token of this issuer for this page and this sign-in passes", () => {
  checkIdToken(idToken({ iss: ISS, aud: "page", nonce: "n", iat: 1000, exp: 1600 }), "n", SETTINGS, 500_000);
});

test("an ID token is judged by its issuer's clock, whatever this machine's says", () => {
  for (const iat of [0, NOW / 1000 - 86_400, NOW / 1000, NOW / 1000 + 86_400])
    checkIdToken(idToken({ iss: ISS, aud: "page", nonce: "n", iat, exp: iat + 600 }), "n", SETTINGS, 30_000);
});

test("another ID token is refused, and never read aloud", () => {
  const good = { iss: ISS, aud: "page", nonce: "n", iat: 1000, exp: 1600, email: "ada@example.com" };
  for (const [member, value] of [
    ["iss", "https://evil.example"], ["aud", "other"], ["aud", ["page", "other"]], ["nonce", "m"], ["nonce", undefined],
    ["exp", 1539], ["exp", undefined], ["exp", "soon"], ["iat", undefined], ["iat", 1700],
  ] as const) {
    assert.throws(
      () => checkIdToken(idToken({ ...good, [member]: value }), "n", SETTINGS, 600_000),
      (problem: Error) => coded("id_token_refused")(problem) && !problem.message.includes("ada"),
      member,
    );
  }
  for (const garbled of ["", "x", "a.b.c", "a.bnVsbA.c", "..", "a.e30"])
    assert.throws(() => checkIdToken(garbled, "n", SETTINGS, 0), coded("id_token_refused"), garbled);
});
