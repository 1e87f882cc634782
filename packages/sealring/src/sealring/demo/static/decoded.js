// Reading a token, for the eye only: nothing here verifies anything, which is the API's business.

const MEANINGS = {
  alg: "the signature's algorithm",
  kid: "which of the server's public keys",
  typ: "an access token, and no other kind of JWT",
  iss: "who issued it",
  sub: "whom it speaks of: an opaque id, never a name",
  aud: "the API it is meant for; any other refuses it",
  client_id: "the application that asked for it",
  scope: "what it allows",
  sid: "the session it belongs to",
  jti: "its own id",
  roles: "what the API is told about the person",
  amr: "how the person proved who it is (pwd: by a password)",
  sub_epoch: "rises when everything of this person ends",
  client_epoch: "rises when everything of this application ends",
};
const TIMES = { iat: "issued", exp: "expires", auth_time: "signed in", nbf: "valid from" };

export function decode(token) {
  const [header, claims] = token.split(".").slice(0, 2).map(readPart);
  return { header, claims };
}

export function explain(name, value, now) {
  if (name in TIMES) return `${TIMES[name]} ${timeInWords(value, now)}`;
  return MEANINGS[name] ?? "";
}

export function timeInWords(instant, now) {
  const clock = new Date(instant * 1000).toLocaleTimeString();
  const distance = Math.round(instant - now);
  if (distance === 0) return `at ${clock}, just now`;
  const words = duration(Math.abs(distance));
  return distance > 0 ? `at ${clock}, in ${words}` : `at ${clock}, ${words} ago`;
}

export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

// Enough to see whether two tokens are the same one, and too little to use it.
export function glimpse(token) {
  return `${token.slice(0, 8)}…${token.slice(-6)}`;
}

function readPart(part) {
  const octets = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(octets));
}
