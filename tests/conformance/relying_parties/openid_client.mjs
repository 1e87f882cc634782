// A relying party by npm's openid-client, from discovery to the log-out.
import * as client from "openid-client";
import { ask, hear, tell } from "./conversation.mjs";

const { issuer, client_id, client_secret, redirect_uri, post_logout_redirect_uri } = await hear();
const config = await client.discovery(new URL(issuer), client_id, client_secret, client.ClientSecretBasic(client_secret));
client.enableNonRepudiationChecks(config);
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const authorize = client.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: "openid profile email offline_access",
  prompt: "consent",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
});
const { callback } = await ask({ authorize: authorize.href });
const tokens = await client.authorizationCodeGrant(config, new URL(callback), {
  pkceCodeVerifier,
  expectedState,
  expectedNonce,
  maxAge: 600,
  idTokenExpected: true,
});
const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const again = await client.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub);
const logout = client.buildEndSessionUrl(config, { post_logout_redirect_uri, id_token_hint: tokens.id_token, state: "bye" });
await ask({ claims: tokens.claims(), userinfo, again, logout: logout.href });
const dead = await client.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub).catch((error) => error.status);
tell({ dead });
process.exit();
