// Verifying by WebCrypto what was pasted, with the codes of a Verifier: as sealring_verify.inspect.trial does.

const LEEWAY = 30;
const LONGEST_HEADER = 4096;
const ASYMMETRIC = ["ES256", "Ed25519", "EdDSA", "PS256", "RS256"];
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
const IMPORTS = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  Ed25519: { name: "Ed25519" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  PS256: { name: "RSA-PSS", hash: "SHA-256" },
};
const VERIFICATIONS = {
  ES256: { name: "ECDSA", hash: "SHA-256" },
  Ed25519: { name: "Ed25519" },
  RS256: { name: "RSASSA-PKCS1-v1_5" },
  PS256: { name: "RSA-PSS", saltLength: 32 },
};

class Refused extends Error {
  constructor(code, claim = null) {
    super(code);
    this.code = code;
    this.claim = claim;
  }
}

// A sentence for whoever pasted keys that cannot be used.
class KeyProblem extends Error {}

// Keys: { named, all: [{ kid, alg, verify }], short }. `named`: the key is meant, whatever the token says of key ids.
async function readKeys(text, asBase64) {
  if (!globalThis.crypto?.subtle) throw new KeyProblem("This browser offers no WebCrypto here: open the page over https, or from a file.");
  const trimmed = text.trim();
  if (trimmed.startsWith("-----BEGIN ")) return { named: true, all: await pemKeys(trimmed), short: false };
  if (trimmed.startsWith("{")) return { named: false, all: await jwksKeys(trimmed), short: false };
  const secret = secretOctets(text.replace(/\r?\n$/, ""), asBase64);
  if (secret.length === 0) throw new KeyProblem("The secret is empty.");
  const verify = (signature, input) => macHolds(secret, "SHA-256", signature, input);
  return { named: true, all: [{ kid: null, alg: "HS256", verify }], short: secret.length < 32 };
}

// What verifies throws nothing and gives the key; what does not throws Refused.
async function verifyToken(token, keys, now) {
  if (token.form !== "signed") throw new Refused(token.form === "encrypted" ? "token_encrypted" : "token_malformed");
  const { alg, kid } = strictHeader(token);
  const known = keys.all.map((key) => (alg === "EdDSA" && key.alg === "Ed25519" ? { ...key, alg } : key));
  // A key set is an issuer's: whatever a verifier knows counts. One key or secret brings its own algorithm.
  if (!(keys.named ? known.map((key) => key.alg) : ASYMMETRIC).includes(alg)) throw new Refused("algorithm_not_allowed");
  const key = findKey(known, keys.named, kid, alg);
  if (key === undefined) throw new Refused("unknown_key");
  if (key.alg !== alg) throw new Refused("algorithm_not_allowed");
  const signature = decodeBase64url(token.text.split(".")[2]);
  if (signature === null) throw new Refused("token_malformed");
  const input = new TextEncoder().encode(token.text.slice(0, token.text.lastIndexOf(".")));
  if (!(await key.verify(signature, input))) throw new Refused("bad_signature");
  if (decodeBase64url(token.text.split(".")[1]) === null) throw new Refused("token_malformed");
  checkDates(token.claims ?? new Map(), now);
  return key;
}

function strictHeader({ text, header, faults }) {
  if (text.length > WORDS.LARGEST || text.indexOf(".") > LONGEST_HEADER) throw new Refused("token_too_large");
  const has = (code) => faults.some(([fault, part]) => fault === code && part === "header");
  const isFlat = (value) =>
    Array.isArray(value) ? value.every((item) => typeof item === "string") : !(value instanceof Map);
  if (has("not_canonical") || ![...header.values()].every(isFlat)) throw new Refused("token_malformed");
  if (has("duplicate_member")) throw new Refused("duplicate_member");
  if (header.has("crit")) throw new Refused("critical_header");
  const isList = !header.has("x5c") || Array.isArray(header.get("x5c"));
  if (header.has("jwk") || header.has("b64") || !isList) throw new Refused("token_malformed");
  for (const name of ["alg", "kid", "typ", "cty", "jku", "x5u", "x5t", "x5t#S256"]) {
    if (header.has(name) ? typeof header.get(name) !== "string" : name === "alg") throw new Refused("token_malformed");
  }
  return { alg: header.get("alg"), kid: header.get("kid") };
}

function findKey(known, named, kid, alg) {
  const fitting = known.filter((key) => key.alg === alg);
  if (named) return fitting[0];
  if (kid !== undefined) return known.find((key) => key.kid === kid);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function checkDates(claims, now) {
  for (const name of ["exp", "nbf", "iat"]) {
    if (claims.has(name) && wholeSeconds(claims.get(name)) === null) throw new Refused("invalid_claim", name);
  }
  const [exp, nbf, iat] = ["exp", "nbf", "iat"].map((name) => wholeSeconds(claims.get(name)));
  if (exp !== null && now >= exp + LEEWAY) throw new Refused("token_expired", "exp");
  if (nbf !== null && now < nbf - LEEWAY) throw new Refused("token_not_yet_valid", "nbf");
  if (iat !== null && now < iat - LEEWAY) throw new Refused("token_not_yet_valid", "iat");
}

async function pemKeys(text) {
  if (text.includes("PRIVATE KEY-----")) throw new KeyProblem("That is a private key: paste the public half alone.");
  const match = /^-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(text);
  if (match === null) throw new KeyProblem("Of PEM this page reads PUBLIC KEY; the command reads certificates too.");
  let der;
  try {
    der = Uint8Array.from(atob(match[1].replace(/\s/g, "")), (one) => one.charCodeAt(0));
  } catch {
    throw new KeyProblem("The PEM is not base64.");
  }
  const found = await Promise.all(Object.keys(IMPORTS).map((alg) => importKey("spki", der, alg, null)));
  const keys = found.filter((key) => key !== null);
  if (keys.length === 0) throw new KeyProblem("The key is not on P-256, not Ed25519 and not RSA of 2048 bits or more.");
  return keys;
}

async function jwksKeys(text) {
  let members;
  try {
    members = JSON.parse(text);
  } catch {
    throw new KeyProblem("That is not a JWK set: it is no JSON.");
  }
  const entries = Object.hasOwn(members, "kty") ? [members] : members.keys;
  if (!Array.isArray(entries)) throw new KeyProblem("A JWK set needs a list named keys.");
  const found = (await Promise.all(entries.map(jwkKey))).filter((key) => key !== null);
  // A token could mean either of two keys that share an id.
  const keys = found.filter((key) => key.kid === null || found.filter(({ kid }) => kid === key.kid).length === 1);
  if (keys.length === 0) throw new KeyProblem("The set holds no key that can be used here.");
  return keys;
}

async function jwkKey(entry) {
  if (typeof entry !== "object" || entry === null || PRIVATE_MEMBERS.some((name) => Object.hasOwn(entry, name))) return null;
  const { kty, crv, x, y, n, e, kid, use = "sig", key_ops: operations = ["verify"] } = entry;
  const usual = { EC: "ES256", OKP: "Ed25519", RSA: "RS256" }[kty];
  const alg = entry.alg === "EdDSA" ? "Ed25519" : (entry.alg ?? usual);
  const algorithms = { EC: ["ES256"], OKP: ["Ed25519"], RSA: ["RS256", "PS256"] }[kty] ?? [];
  if (!algorithms.includes(alg) || use !== "sig" || !Array.isArray(operations) || !operations.includes("verify")) return null;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > 256)) return null;
  const plain = { EC: { kty, crv, x, y }, OKP: { kty, crv, x }, RSA: { kty, n, e } }[kty];
  return importKey("jwk", plain, alg, kid ?? null);
}

// null where it is no key for that algorithm.
async function importKey(format, material, alg, kid) {
  try {
    const key = await crypto.subtle.importKey(format, material, IMPORTS[alg], false, ["verify"]);
    if ((key.algorithm.modulusLength ?? 2048) < 2048) return null;
    const verify = (signature, input) => crypto.subtle.verify(VERIFICATIONS[alg], key, signature, input).catch(() => false);
    return { kid, alg, verify };
  } catch {
    return null;
  }
}

function secretOctets(text, asBase64) {
  if (/^slh_[A-Za-z0-9_-]{43}$/.test(text)) {
    const octets = decodeBase64url(text.slice(4));
    if (octets !== null) return octets;
  }
  if (!asBase64) return new TextEncoder().encode(text);
  try {
    return octetsOf(text.trim().replace(/=+$/, ""));
  } catch {
    throw new KeyProblem("The secret is not base64 or base64url.");
  }
}

async function macHolds(secret, hash, signature, input) {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash }, false, ["verify"]);
  return crypto.subtle.verify("HMAC", key, signature, input);
}
