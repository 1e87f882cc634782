import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSettings, isSafe, type Settings } from "../src/settings.ts";

const GOOD: Settings = { issuer: "https://app.example.com/auth", clientId: "page", scope: "openid" };
const refused = (problem: unknown) => (problem as { code: string }).code === "settings_refused";

test("people come back to the root of the page's host unless it is said", () => {
  assert.equal(checkSettings(GOOD, "https://app.example.com/a/b?c#d").redirectUri, "https://app.example.com/");
  const said = { ...GOOD, redirectUri: "/back" };
  assert.equal(checkSettings(said, "https://app.example.com/a/b?c#d").redirectUri, "https://app.example.com/back");
});

test("an issuer is taken with and without a slash at its end", () => {
  for (const issuer of ["https://id.example.com", "https://id.example.com/"])
    assert.equal(checkSettings({ ...GOOD, issuer }, "https://app.example.com/").issuer, "https://id.example.com");
});

test("tokens never travel without TLS, but on this machine", () => {
  for (const issuer of ["http://id.example.com", "//id.example.com", "id.example.com", "javascript:alert(1)", ""])
    assert.throws(() => checkSettings({ ...GOOD, issuer }, "https://app.example.com/"), refused, issuer);
  for (const origin of ["http://api.example.com", "https://api.example.com/", "https://api.example.com/v1", "api.example.com", "*"])
    assert.throws(() => checkSettings({ ...GOOD, apis: { [origin]: "orders" } }, "https://app.example.com/"), refused, origin);
  for (const url of ["http://localhost:8700/", "http://127.0.0.1/", "http://[::1]:1/", "https://example.com/"])
    assert.ok(isSafe(new URL(url)), url);
  for (const url of ["http://localhost.example.com/", "http://127.0.0.1.example.com/", "http://0.0.0.0/", "http://example.com/", "ftp://localhost.x/"])
    assert.ok(!isSafe(new URL(url)), url);
});

test("the first API is the one whose token is given where none is named", () => {
  assert.equal(checkSettings(GOOD, "https://app.example.com/").resource, "");
  const apis = { "https://api.example.com": "orders", "https://stock.example.com": "stock" };
  assert.equal(checkSettings({ ...GOOD, apis }, "https://app.example.com/").resource, "orders");
});
