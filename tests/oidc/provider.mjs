// A real OpenID provider (oidc-provider) on loopback, which can be stopped, started again and given
// new keys.
import { createHash, generateKeyPairSync, randomBytes, sign as signBytes, createPrivateKey, createHmac } from "node:crypto";
import http from "node:http";
import { Browser } from "./browser.mjs";

export const RS = "https://plinth.test/rs", ES = "https://plinth.test/es", OTHER = "https://other.test/";
const CLI_RETURN = "http://127.0.0.1:9/done";

const people = {
  ada: { email: "ada@example.com", email_verified: true, name: "Ada" },
  eve: { email: "eve@example.com", email_verified: false, name: "Eve" },
  root: { email: "root@example.com", email_verified: true, name: "Root", roles: ["Plinth.Owner"] },
};
const programs = { robot: ["Plinth.Infer"], idle: ["Something.Else"] };

function newKeys(name) {
  const made = (type, options, alg) => {
    const { privateKey } = generateKeyPairSync(type, options);
    return { ...privateKey.export({ format: "jwk" }), kid: `${name}-${alg}`, alg, use: "sig" };
  };
  return [made("rsa", { modulusLength: 2048 }, "RS256"), made("ec", { namedCurve: "P-256" }, "ES256")];
}

const base64url = (data) => Buffer.from(data).toString("base64url");

export class OidcServer {
  constructor(Provider, port) {
    this.Provider = Provider;
    this.port = port;
    this.issuer = `http://127.0.0.1:${port}`;
    this.rotate("first");
  }

  rotate(name) {
    this.keys = newKeys(name);
    if (this.plinthReturn) this.configure(this.plinthReturn);
  }

  configure(plinthReturn) {
    this.plinthReturn = plinthReturn;
    const rolesOf = (token) => (token.accountId ? people[token.accountId]?.roles : programs[token.clientId]);
    const provider = new this.Provider(this.issuer, {
      jwks: { keys: this.keys },
      cookies: { keys: [randomBytes(16).toString("hex")] },
      clients: [
        { client_id: "plinth", client_secret: "not+so/secret", redirect_uris: [plinthReturn], response_types: ["code"],
          grant_types: ["authorization_code"], id_token_signed_response_alg: "ES256" },
        { client_id: "cli", redirect_uris: [CLI_RETURN], response_types: ["code"], grant_types: ["authorization_code"],
          token_endpoint_auth_method: "none", application_type: "native" },
        ...Object.keys(programs).map((client_id) => ({
          client_id, client_secret: "x", redirect_uris: [], response_types: [], grant_types: ["client_credentials"] })),
      ],
      pkce: { required: () => true },
      claims: { openid: ["sub", "roles"], email: ["email", "email_verified"], profile: ["name"] },
      conformIdTokenClaims: false,
      findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
      extraTokenClaims: (_, token) => ({ roles: rolesOf(token), ...(token.accountId && people[token.accountId]) }),
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => undefined,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => ({
            scope: "use", audience: resource, accessTokenFormat: "jwt", accessTokenTTL: 600,
            jwt: { sign: { alg: resource === ES ? "ES256" : "RS256" } } }),
        },
      },
    });
    provider.on("server_error", (_, error) => console.error("provider:", error));
    this.handler = provider.callback();
  }

  async start() {
    this.server = http.createServer((request, response) => this.handler(request, response));
    // Nobody reuses a connection in the moment in which it closes.
    this.server.keepAliveTimeout = 600_000;
    await new Promise((done) => this.server.listen(this.port, "127.0.0.1", done));
  }

  async stop() {
    if (!this.server) return;
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
    this.server = null;
  }

  async exchange(fields, authorization) {
    const headers = { "content-type": "application/x-www-form-urlencoded", ...(authorization && { authorization }) };
    const response = await fetch(`${this.issuer}/token`, { method: "POST", headers, body: new URLSearchParams(fields) });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  }

  // An access token that a program gets for itself.
  async programToken(client, resource = RS) {
    const authorization = "Basic " + Buffer.from(`${client}:x`).toString("base64");
    return (await this.exchange({ grant_type: "client_credentials", resource }, authorization)).access_token;
  }

  // An access token that somebody lets a command line have.
  async personToken(login, resource = RS) {
    const verifier = base64url(randomBytes(32));
    const query = new URLSearchParams({
      client_id: "cli", response_type: "code", redirect_uri: CLI_RETURN, scope: "openid", resource, state: "s",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256" });
    const end = await new Browser().walk(`${this.issuer}/auth?${query}`, login, CLI_RETURN);
    const code = new URL(end).searchParams.get("code");
    const answer = await this.exchange({
      grant_type: "authorization_code", client_id: "cli", code, redirect_uri: CLI_RETURN, code_verifier: verifier, resource });
    return { access: answer.access_token, id: answer.id_token };
  }

  // A token of our own making, signed with the provider's key or with something else.
  forge(claims, { alg = "RS256", kid = this.keys[0].kid, key = this.keys[0] } = {}) {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.issuer, aud: RS, sub: "ada", iat: now, exp: now + 600, ...claims };
    const text = `${base64url(JSON.stringify({ alg, kid, typ: "at+jwt" }))}.${base64url(JSON.stringify(all))}`;
    if (alg === "none") return text + ".";
    if (alg.startsWith("HS")) return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
    return `${text}.${signBytes("sha256", Buffer.from(text), createPrivateKey({ key, format: "jwk" })).toString("base64url")}`;
  }
}
