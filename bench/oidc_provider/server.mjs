// The peer of the bench: npm oidc-provider on SQLite, as durable as Sealring (WAL, synchronous=FULL), with one client.
// Arguments: port, database file, number of refresh tokens and of signed-in browsers to make. Prints one line of JSON when it listens.
import { generateKeyPairSync } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { Provider } from "oidc-provider";

const [port, file, sessions] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];
const issuer = `http://127.0.0.1:${port}`;
const database = new DatabaseSync(file);
database.exec(`
  PRAGMA journal_mode=WAL;
  PRAGMA synchronous=FULL;
  CREATE TABLE payloads (
    id TEXT PRIMARY KEY, payload TEXT NOT NULL, grant_id TEXT, user_code TEXT, uid TEXT, expires_at INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX by_grant ON payloads (grant_id) WHERE grant_id IS NOT NULL;
`);
const statements = {
  upsert: database.prepare(`INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`),
  find: database.prepare("SELECT payload, expires_at FROM payloads WHERE id = ?"),
  findByUid: database.prepare("SELECT payload, expires_at FROM payloads WHERE uid = ?"),
  consume: database.prepare("UPDATE payloads SET payload = json_set(payload, '$.consumed', ?) WHERE id = ?"),
  destroy: database.prepare("DELETE FROM payloads WHERE id = ?"),
  revokeByGrantId: database.prepare("DELETE FROM payloads WHERE grant_id = ?"),
};
const now = () => Math.floor(Date.now() / 1000);
const read = (row) => (row && (row.expires_at === null || row.expires_at > now()) ? JSON.parse(row.payload) : undefined);

class SqliteAdapter {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn ? now() + expiresIn : null;
    statements.upsert.run(
      `${this.model}:${id}`, JSON.stringify(payload), payload.grantId ?? null, null, payload.uid ?? null, expiresAt,
    );
  }
  async find(id) {
    return read(statements.find.get(`${this.model}:${id}`));
  }
  async findByUserCode() {
    return undefined;
  }
  async findByUid(uid) {
    return read(statements.findByUid.get(uid));
  }
  async consume(id) {
    statements.consume.run(now(), `${this.model}:${id}`);
  }
  async destroy(id) {
    statements.destroy.run(`${this.model}:${id}`);
  }
  async revokeByGrantId(grantId) {
    statements.revokeByGrantId.run(grantId);
  }
}

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const provider = new Provider(issuer, {
  adapter: SqliteAdapter,
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] },
  clients: [
    {
      client_id: "shop",
      client_secret: "slc_of_the_bench",
      grant_types: ["client_credentials", "refresh_token", "authorization_code"],
      redirect_uris: ["https://shop.example/callback"],
      response_types: ["code"],
      id_token_signed_response_alg: "ES256",
    },
  ],
  clientAuthMethods: ["client_secret_basic"],
  scopes: ["offline_access", "orders:read"],
  rotateRefreshToken: true,
  findAccount: async (_context, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
  ttl: { AccessToken: 600, ClientCredentials: 600, RefreshToken: 86400, Grant: 86400 },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "orders:read",
        audience: "orders",
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});

const client = await provider.Client.find("shop");
const refreshTokens = [];
for (let number = 0; number < sessions; number += 1) {
  const grant = new provider.Grant({ accountId: "ada", clientId: "shop" });
  grant.addOIDCScope("offline_access");
  grant.addResourceScope("urn:orders", "orders:read");
  const token = new provider.RefreshToken({
    accountId: "ada",
    client,
    grantId: await grant.save(),
    gty: "authorization_code",
    scope: "offline_access orders:read",
    resource: "urn:orders",
    rotations: 0,
    iiat: now(),
  });
  refreshTokens.push(await token.save());
}
const ssoCookies = [];
for (let number = 0; number < sessions; number += 1) {
  const grant = new provider.Grant({ accountId: "ada", clientId: "shop" });
  grant.addOIDCScope("openid");
  const session = new provider.Session({ accountId: "ada", loginTs: now() });
  session.ensureClientContainer("shop");
  session.grantIdFor("shop", await grant.save());
  await session.save(86400);
  ssoCookies.push(`_session=${session.jti ?? session.id}`);
}
provider.listen(port, "127.0.0.1", () => console.log(JSON.stringify({ refresh_tokens: refreshTokens, sso_cookies: ssoCookies })));
