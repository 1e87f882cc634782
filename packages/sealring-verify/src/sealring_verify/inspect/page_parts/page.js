// The page: reads its fields at each change, and shows. What comes from a token becomes text, never markup.

const EXAMPLE = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
const LEVELS = ["danger", "warning", "note"];
const [tokenField, keysField, base64Field] = ["token", "keys", "base64"].map(at);
let turn = 0;

for (const field of [tokenField, keysField, base64Field]) field.addEventListener("input", inspect);
at("example").addEventListener("click", () => fill(EXAMPLE));
at("clear").addEventListener("click", () => fill(""));
setInterval(tick, 1000);
inspect();

function fill(text) {
  tokenField.value = text;
  keysField.value = "";
  base64Field.checked = false;
  inspect();
  tokenField.focus();
}

async function inspect() {
  const mine = ++turn;
  const now = Date.now() / 1000;
  const isEmpty = tokenField.value.trim() === "";
  at("findings").hidden = isEmpty;
  at("nothing").hidden = !isEmpty;
  if (isEmpty) {
    for (const id of ["kind", "parts", "header", "claims", "remarks", "verdict"]) at(id).replaceChildren();
    return;
  }
  const token = readToken(tokenField.value);
  const [remarks, verdict] = await Promise.all([remarksOn(token, now), judge(token, now)]);
  // A later change has begun its own turn.
  if (mine !== turn) return;
  showToken(token, now);
  showVerdict(verdict);
  showRemarks(verdict.short ? [...remarks, ["short_secret", null]] : remarks);
}

// { outcome: "none" | "verified" | "refused" | "problem", code, claim, sentence, short }
async function judge(token, now) {
  if (keysField.value.trim() === "") return { outcome: "none", sentence: "Not verified: paste a key to verify the signature." };
  let short = false;
  try {
    const keys = await readKeys(keysField.value, base64Field.checked);
    short = keys.short;
    const key = await verifyToken(token, keys, now);
    const name = key.kid === null ? "" : `, key ${key.kid}`;
    return { outcome: "verified", sentence: `The signature holds (${key.alg}${name}), and the dates are good.`, short };
  } catch (fault) {
    if (fault instanceof KeyProblem) return { outcome: "problem", sentence: fault.message, short };
    if (!(fault instanceof Refused)) throw fault;
    return { outcome: "refused", code: fault.code, claim: fault.claim, sentence: WORDS.CODES[fault.code], short };
  }
}

function showToken(token, now) {
  const kind = kindOf(token);
  const description = WORDS.KINDS[kind];
  at("kind").textContent = `${description[0].toUpperCase()}${description.slice(1)}. ${token.text.length} characters.`;
  at("kind").dataset.kind = kind;
  const isSigned = token.form === "signed";
  at("parts").replaceChildren(...(isSigned ? colouredParts(token.text) : []));
  at("parts").hidden = !isSigned;
  at("header-section").hidden = !token.header;
  at("claims-section").hidden = !token.claims;
  at("header").replaceChildren(...rows(token.header ?? new Map(), now, false));
  at("claims").replaceChildren(...rows(token.claims ?? new Map(), now, true));
}

function colouredParts(text) {
  const names = ["header", "claims", "signature"];
  return text.split(".").flatMap((part, place) => [
    ...(place ? [".", element("wbr")] : []),
    element("span", { class: `part-${names[place]}` }, part),
  ]);
}

function rows(members, now, areClaims) {
  return [...members].flatMap(([name, value]) => {
    const isDate = areClaims && WORDS.DATES.includes(name) && dateInWords(value, now) !== null;
    const meaning = Object.hasOwn(WORDS.MEANINGS, name) ? WORDS.MEANINGS[name] : "";
    const details = element("dd", {}, element("span", {}, shown(typeof value === "string" ? value : writeJson(value))));
    if (meaning || isDate) {
      const small = element("small", {}, meaning);
      if (isDate) small.append(" ", element("span", { "data-date": String(value) }, dateInWords(value, now)));
      details.append(small);
    }
    return [element("dt", {}, shown(name)), details];
  });
}

function showRemarks(remarks) {
  const weighed = LEVELS.flatMap((level) => remarks.filter(([code]) => WORDS.REMARKS[code][0] === level));
  at("remarks").replaceChildren(...weighed.map(remarkItem));
  at("no-remarks").hidden = remarks.length > 0;
}

function remarkItem([code, about]) {
  const [level, sentence] = WORDS.REMARKS[code];
  const item = element("li", { class: level, "data-code": code });
  item.append(element("strong", {}, level), " ", element("code", {}, about === null ? code : `${code} (${shown(about)})`));
  item.append(element("span", {}, ...prose(sentence)));
  if (about !== null) item.dataset.about = about;
  return item;
}

// Our own sentences put names between backticks.
function prose(sentence) {
  return sentence.split("`").map((piece, place) => (place % 2 ? element("code", {}, piece) : piece));
}

function showVerdict({ outcome, code, claim, sentence }) {
  const told = code ? `Refused: ${code}${claim ? ` (${claim})` : ""}. ${sentence}` : sentence;
  const verdict = at("verdict");
  verdict.className = outcome;
  verdict.dataset.outcome = outcome;
  verdict.dataset.code = code ?? "";
  verdict.replaceChildren(...prose(shown(outcome === "verified" ? `Verified. ${told.replaceAll("`", "'")}` : told)));
}

function tick() {
  for (const date of document.querySelectorAll("[data-date]")) {
    const value = date.dataset.date;
    const words = dateInWords(/^-?\d+$/.test(value) ? BigInt(value) : Number(value), Date.now() / 1000);
    if (date.textContent !== words) date.textContent = words;
  }
}

// What cannot be seen, or runs backwards, is written as its number.
function shown(text) {
  const hidden = /[\p{C}\p{Zl}\p{Zp}\u00a0\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]/gu;
  return text.replace(hidden, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...content);
  return made;
}

function at(id) {
  return document.getElementById(id);
}
