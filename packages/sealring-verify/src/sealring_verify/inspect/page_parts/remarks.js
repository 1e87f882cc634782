// A reviewer's remarks, in the order and by the rules of sealring_verify.inspect.remarks: [code, about].

const HASHES = { HS256: "SHA-256", HS384: "SHA-384", HS512: "SHA-512" };
const ORDINARY = ["access_token", "id_token", "signed_token"];
const ORDINARY_SKEW = 30;
const KID_PATTERNS = Object.entries(WORDS.KID_PATTERNS).map(([code, pattern]) => [code, new RegExp(pattern, "i")]);
const PERSONAL_VALUE = new RegExp(WORDS.PERSONAL_VALUE);
const SECRET_CLAIM = new RegExp(WORDS.SECRET_CLAIM, "i");
const SECRET_VALUE = new RegExp(WORDS.SECRET_VALUE);
const HIDDEN = new RegExp(WORDS.HIDDEN);

function kindOf(token) {
  if (token.form === "opaque") return token.prefix;
  if (token.form === "unreadable") return "unreadable";
  if (token.form === "encrypted") return "encrypted_token";
  const typ = mediaType(token.header, "typ");
  return Object.hasOwn(WORDS.TYPES, typ) ? WORDS.TYPES[typ] : kindByClaims(token.claims ?? new Map());
}

async function remarksOn(token, now) {
  if (token.form === "opaque") return WORDS.EXPOSED.includes(token.prefix) ? [["secret_pasted", null]] : [];
  if (token.form === "unreadable") return [["not_a_token", null]];
  const kind = kindOf(token);
  const found = [];
  if (token.text.length > WORDS.LARGE) found.push([token.text.length > WORDS.LARGEST ? "too_large" : "large", null]);
  found.push(...token.faults, ...onHeader(token.header, kind));
  if (token.form === "encrypted") return [...found, ["encrypted", null], ...onText(token.header)];
  const claims = token.claims ?? new Map();
  found.push(...(await onSignature(token)));
  if (token.claims !== null && ORDINARY.includes(kind)) found.push(...onClaims(claims, kind));
  found.push(...onDates(claims, now));
  if (kind !== "id_token") found.push(...onPersonalData(claims));
  for (const [name, value] of claims) if (isSecret(name, value)) found.push(["secret_claim", name]);
  return [...found, ...onText(new Map([...token.header, ...claims]))];
}

function onHeader(header, kind) {
  const found = onAlgorithm(header.get("alg"), kind === "encrypted_token");
  const typ = mediaType(header, "typ");
  if (kind !== "encrypted_token" && typ === "") found.push(["typ_missing", "typ"]);
  else if (kind === "access_token" && typ !== "at+jwt") found.push(["typ_generic", "typ"]);
  found.push(...onKid(header));
  for (const name of WORDS.KEY_MEMBERS) {
    if (header.has(name) && !(name === "jwk" && kind === "dpop_proof")) found.push(["key_in_header", name]);
  }
  if (header.has("crit")) found.push(["critical_header", "crit"]);
  if (header.has("zip")) found.push(["compressed", "zip"]);
  if (mediaType(header, "cty") === "jwt") found.push(["nested_token", "cty"]);
  return found;
}

function onAlgorithm(alg, encrypted) {
  if (typeof alg !== "string") return [["alg_missing", "alg"]];
  if (alg.toLowerCase() === "none") return [["alg_none", "alg"]];
  const found = [];
  if (WORDS.WEAK.includes(alg)) found.push(["weak_algorithm", "alg"]);
  else if (Object.hasOwn(HASHES, alg)) found.push(["symmetric_algorithm", "alg"]);
  else if (alg === "EdDSA") found.push(["ambiguous_algorithm", "alg"]);
  if (!WORDS.VERIFIABLE.includes(alg) && !encrypted) found.push(["unsupported_algorithm", "alg"]);
  return found;
}

function onKid(header) {
  if (!header.has("kid")) {
    const alg = header.get("alg");
    const needed = typeof alg === "string" && !Object.hasOwn(HASHES, alg) && alg.toLowerCase() !== "none";
    return needed ? [["kid_missing", "kid"]] : [];
  }
  const kid = header.get("kid");
  if (typeof kid !== "string") return [["kid_not_text", "kid"]];
  return KID_PATTERNS.filter(([, pattern]) => pattern.test(kid)).map(([code]) => [code, "kid"]);
}

async function onSignature({ header, signature, text }) {
  const found = signature?.length === 0 ? [["signature_missing", "signature"]] : [];
  const alg = header.get("alg");
  if (typeof alg !== "string" || !Object.hasOwn(HASHES, alg) || !signature?.length) return found;
  // Outside of a secure context there is no WebCrypto, and the page says so where it verifies.
  if (!globalThis.crypto?.subtle) return found;
  const input = new TextEncoder().encode(text.slice(0, text.lastIndexOf(".")));
  for (const secret of WORDS.KNOWN_SECRETS) {
    if (await macHolds(new TextEncoder().encode(secret), HASHES[alg], signature, input)) found.push(["known_secret", secret]);
  }
  return found;
}

function onClaims(claims, kind) {
  const found = kind === "id_token" ? [["id_token", null]] : [];
  if (!claims.has("iss")) found.push(["iss_missing", "iss"]);
  found.push(...onAudience(claims.get("aud")));
  if (!claims.has("sub")) found.push(["sub_missing", "sub"]);
  else if (typeof claims.get("sub") !== "string") found.push(["sub_not_text", "sub"]);
  if (!claims.has("exp")) found.push(["exp_missing", "exp"]);
  if (!claims.has("iat")) found.push(["iat_missing", "iat"]);
  if (kind !== "access_token") return found;
  for (const name of ["client_id", "jti"]) if (!claims.has(name)) found.push(["claim_missing", name]);
  if (claims.has("scope") && typeof claims.get("scope") !== "string") found.push(["scope_not_text", "scope"]);
  if (claims.has("cnf")) found.push(["bound_to_key", "cnf"]);
  return found;
}

function onAudience(aud) {
  const nobody = aud === undefined || aud === null || aud === "";
  const audience = Array.isArray(aud) ? aud : nobody ? [] : [aud];
  const found = audience.length === 0 ? [["aud_missing", "aud"]] : [];
  if (audience.includes("*")) found.push(["aud_wildcard", "aud"]);
  if (audience.length > 1) found.push(["several_audiences", "aud"]);
  return found;
}

function onDates(claims, now) {
  const found = [];
  for (const name of WORDS.DATES) {
    if (!claims.has(name)) continue;
    const value = claims.get(name);
    if (typeof value === "bigint" && value > BigInt(WORDS.LATEST_DATE)) found.push(["date_in_milliseconds", name]);
    else if (wholeSeconds(value) === null) found.push(["date_not_whole", name]);
  }
  const [iat, nbf, exp] = ["iat", "nbf", "exp"].map((name) => wholeSeconds(claims.get(name)));
  if (exp !== null && exp <= now) found.push(["expired", "exp"]);
  if (nbf !== null && nbf > now) found.push(["not_yet_valid", "nbf"]);
  if (iat !== null && iat > now + ORDINARY_SKEW) found.push(["not_yet_valid", "iat"]);
  if (exp !== null && iat !== null && exp <= iat) found.push(["expires_before_issued", "exp"]);
  if (exp !== null && iat !== null && exp - iat > WORDS.LONGEST_LIFETIME) found.push(["lifetime_over_an_hour", "exp"]);
  return found;
}

function onPersonalData(claims) {
  const found = [];
  for (const [name, value] of claims) {
    const looksPersonal = typeof value === "string" && PERSONAL_VALUE.test(value) && !WORDS.NEVER_PERSONAL.includes(name);
    if (looksPersonal || WORDS.PERSONAL_CLAIMS.includes(name.toLowerCase())) found.push(["personal_data", name]);
  }
  return found;
}

function onText(members) {
  return [...members].filter((member) => textsIn(member).some(hides)).map(([name]) => ["hidden_text", name]);
}

function hides(text) {
  const [first, last] = WORDS.HIDDEN_ABOVE;
  return HIDDEN.test(text) || [...text].some((one) => first <= one.codePointAt(0) && one.codePointAt(0) <= last);
}

function isSecret(name, value) {
  return SECRET_CLAIM.test(name) || (typeof value === "string" && SECRET_VALUE.test(value));
}

function textsIn(value) {
  if (typeof value === "string") return [value];
  if (value instanceof Map) return [...value].flat().flatMap(textsIn);
  return Array.isArray(value) ? value.flatMap(textsIn) : [];
}

// A date as verifiers take it: a whole number of seconds up to the year 5138; null for any other value.
function wholeSeconds(value) {
  return typeof value === "bigint" && value >= 0n && value <= BigInt(WORDS.LATEST_DATE) ? Number(value) : null;
}

function mediaType(header, name) {
  const value = header.get(name);
  return typeof value === "string" ? value.toLowerCase().replace(/^application\//, "") : "";
}

function kindByClaims(claims) {
  const events = claims.get("events");
  if (events instanceof Map) {
    return events.has("http://schemas.openid.net/event/backchannel-logout") ? "logout_token" : "security_event";
  }
  const hasAny = (names) => names.some((name) => claims.has(name));
  if (hasAny(WORDS.ID_TOKEN_CLAIMS) || claims.get("token_use") === "id") return "id_token";
  if (hasAny(WORDS.ACCESS_TOKEN_CLAIMS)) return "access_token";
  if (hasAny(WORDS.SIGN_IN_CLAIMS)) return "id_token";
  const isAssertion = claims.has("aud") && claims.has("jti") && typeof claims.get("iss") === "string";
  return isAssertion && claims.get("iss") === claims.get("sub") ? "client_assertion" : "signed_token";
}
