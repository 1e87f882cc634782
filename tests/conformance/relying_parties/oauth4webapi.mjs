// A relying party by npm's oauth4webapi, from discovery to the log-out.
import * as oauth from "oauth4webapi";
import { ask, hear, tell } from "./conversation.mjs";

const { issuer, client_id, client_secret, redirect_uri, post_logout_redirect_uri } = await hear();
const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer)));
const client = { client_id };
const auth = oauth.ClientSecretBasic(client_secret);
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const expectedNonce = oauth.generateRandomNonce();
const authorize = new URL(as.authorization_endpoint);
authorize.search = new URLSearchParams({
  client_id,
  redirect_uri,
  response_type: "code",
  scope: "openid profile email offline_access",
  prompt: "consent",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce: expectedNonce,
});
const { callback } = await ask({ authorize: authorize.href });
const brought = oauth.validateAuthResponse(as, client, new URL(callback), state);
const response = await oauth.authorizationCodeGrantRequest(as, client, auth, brought, redirect_uri, verifier);
const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce, requireIdToken: true });
await oauth.validateApplicationLevelSignature(as, response);
const claims = oauth.getValidatedIdTokenClaims(tokens);

const ask_userinfo = async (token) =>
  oauth.processUserInfoResponse(as, client, claims.sub, await oauth.userInfoRequest(as, client, token));
const userinfo = await ask_userinfo(tokens.access_token);
const refreshed = await oauth.processRefreshTokenResponse(
  as, client, await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token),
);
const again = await ask_userinfo(refreshed.access_token);
const logout = new URL(as.end_session_endpoint);
logout.search = new URLSearchParams({ post_logout_redirect_uri, id_token_hint: tokens.id_token, state: "bye" });
await ask({ claims, userinfo, again, logout: logout.href });
const dead = await ask_userinfo(refreshed.access_token).catch((error) => error.status);
tell({ dead });
process.exit();
