"use strict";
// Reading a token leniently, for the eye, as sealring_verify.inspect.decoding does. Objects become Maps, which keep the
// order of their members; whole numbers become BigInts, which keep all their digits.

const WORDS = JSON.parse(document.getElementById("words").textContent);
const LONGEST_TEXT = 256 * 1024;
const DEEPEST = 32;
const SIGNED = /^[A-Za-z0-9_+/=-]+\.[A-Za-z0-9_+/=-]*\.[A-Za-z0-9_+/=-]*$/;
const ENCRYPTED = /^[A-Za-z0-9_+/=-]+(?:\.[A-Za-z0-9_+/=-]*){4}$/;

function readToken(given) {
  const bare = given.length <= LONGEST_TEXT ? given.replace(/^\s*(?:authorization:\s*)?bearer\s+/i, "") : "";
  const text = bare.replace(/[ \t\r\n]+/g, "");
  const prefix = text.slice(0, 4);
  if (prefix.length === 4 && Object.hasOwn(WORDS.KINDS, prefix)) return { form: "opaque", text, prefix };
  if (SIGNED.test(text)) return readSigned(text);
  if (ENCRYPTED.test(text)) return readEncrypted(text);
  return { form: "unreadable", text };
}

function readSigned(text) {
  const faults = [];
  const [headerPart, payloadPart, signaturePart] = text.split(".");
  const header = readObject(readOctets(headerPart, "header", faults), "header", faults);
  if (header === null) return { form: "unreadable", text };
  const payload = readOctets(payloadPart, "payload", faults);
  const claims = readObject(payload, "payload", faults);
  if (claims === null) faults.push(["payload_not_claims", "payload"]);
  const signature = readOctets(signaturePart, "signature", faults);
  return { form: "signed", text, header, claims, signature, faults };
}

function readEncrypted(text) {
  const faults = [];
  const header = readObject(readOctets(text.split(".", 1)[0], "header", faults), "header", faults);
  return header === null ? { form: "unreadable", text } : { form: "encrypted", text, header, faults };
}

function readOctets(part, name, faults) {
  const strict = decodeBase64url(part);
  if (strict !== null) return strict;
  faults.push(["not_canonical", name]);
  const bare = part.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return bare.includes("=") || bare.length % 4 === 1 ? null : octetsOf(bare);
}

// base64url in its one form: null for padding, a foreign character, or bits that nobody reads.
function decodeBase64url(part) {
  if (!/^[A-Za-z0-9_-]*$/.test(part) || part.length % 4 === 1) return null;
  const octets = octetsOf(part);
  return encodeBase64url(octets) === part ? octets : null;
}

function octetsOf(bare) {
  return Uint8Array.from(atob(bare.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}

function encodeBase64url(octets) {
  let binary = "";
  for (const octet of octets) binary += String.fromCharCode(octet);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function readObject(octets, name, faults) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets ?? new Uint8Array());
    const { value, twice } = parseJson(text);
    if (!(value instanceof Map)) return null;
    if (twice) faults.push(["duplicate_member", name]);
    return value;
  } catch (fault) {
    if (fault instanceof SyntaxError || fault instanceof TypeError) return null;
    throw fault;
  }
}

// JSON (RFC 8259), and whether an object names a member twice. SyntaxError for anything else.
function parseJson(text) {
  const tokens = /[ \t\n\r]*(?:([[\]{},:])|("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)|(true|false|null)|($))/y;
  let twice = false;
  let found = next();

  function next() {
    const match = tokens.exec(text);
    if (match === null) throw new SyntaxError("no JSON");
    return match;
  }

  function take(mark) {
    const taken = found[1] === mark;
    if (taken) found = next();
    return taken;
  }

  function expect(mark) {
    if (!take(mark)) throw new SyntaxError("no JSON");
  }

  function string() {
    if (found[2] === undefined) throw new SyntaxError("no JSON");
    const value = JSON.parse(found[2]);
    found = next();
    return value;
  }

  function scalar() {
    const [, , quoted, number, fraction, exponent, word] = found;
    if (quoted !== undefined) return string();
    if (word === undefined && number === undefined) throw new SyntaxError("no JSON");
    found = next();
    if (word !== undefined) return JSON.parse(word);
    if (fraction === undefined && exponent === undefined) return BigInt(number);
    if (!Number.isFinite(Number(number))) throw new SyntaxError("a number is beyond the range of a double");
    return Number(number);
  }

  function value(depth) {
    if (found[1] !== "{" && found[1] !== "[") return scalar();
    if (depth >= DEEPEST) throw new SyntaxError("nested too deep");
    return take("{") ? object(depth + 1) : list(depth + 1);
  }

  function object(depth) {
    const members = new Map();
    if (take("}")) return members;
    do {
      const name = string();
      expect(":");
      twice ||= members.has(name);
      members.set(name, value(depth));
    } while (take(","));
    expect("}");
    return members;
  }

  function list(depth) {
    expect("[");
    const items = [];
    if (take("]")) return items;
    do items.push(value(depth));
    while (take(","));
    expect("]");
    return items;
  }

  const whole = value(0);
  if (found[7] === undefined) throw new SyntaxError("no JSON");
  return { value: whole, twice };
}

// JSON of what parseJson gave, in one line.
function writeJson(value) {
  if (value instanceof Map) {
    return `{${[...value].map(([name, inner]) => `${JSON.stringify(name)}: ${writeJson(inner)}`).join(", ")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(writeJson).join(", ")}]`;
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}
