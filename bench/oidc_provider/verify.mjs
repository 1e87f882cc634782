// Node's jose, which oidc-provider brings along, as a peer of verification. Argument: a file with one key and its tokens.
// Each line of standard input is a turn: "first last"; its answer is the CPU seconds that these tokens took.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { importJWK, jwtVerify } from "jose";

const { jwk, alg, tokens, issuer, audience } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const key = await importJWK(jwk, alg);
const options = { issuer, audience, algorithms: [alg], typ: "at+jwt", requiredClaims: ["exp", "iat", "sub", "jti"] };
for await (const line of createInterface({ input: process.stdin })) {
  const [first, last] = line.split(" ").map(Number);
  const started = process.cpuUsage();
  for (let place = first; place < last; place += 1) {
    await jwtVerify(tokens[place], key, options);
  }
  const { user, system } = process.cpuUsage(started);
  console.log((user + system) / 1e6);
}
