// People and programs of a real OpenID provider against `plinth up`: oidc_test.mjs PLINTH RESULT.tap MODULES
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.mjs";
import { ES, OidcServer, OTHER, RS } from "./provider.mjs";

const [plinth, result, modules] = process.argv.slice(2);
const resolve = createRequire(path.join(modules, "package.json")).resolve;
const { default: Provider } = await import(pathToFileURL(resolve("oidc-provider")).href);
const PASSWORD = "a phrase that nobody guesses";
const CHAT = { model: "smollm2", messages: [{ role: "user", content: "Hi" }], max_tokens: 3 };

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// What the tests share: the service (url, home, admin), the provider, and tokens once there are some.
const at = { tokens: {} };

async function call(pathname, { token, json, method, headers = {} } = {}) {
  const sent = { ...headers, ...(token && { authorization: `Bearer ${token}` }), ...(json && { "content-type": "application/json" }) };
  const response = await fetch(at.url + pathname, {
    method: method ?? (json ? "POST" : "GET"), headers: sent, body: json && JSON.stringify(json) });
  const text = await response.text();
  const body = text.startsWith("{") ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, body };
}
const admin = (pathname, options = {}) => call(`/v1/organization${pathname}`, { token: at.adminKey, ...options });
const chat = (token, headers) => call("/v1/chat/completions", { token, json: CHAT, headers });

function expect(answer, status) {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
}

function refusedToken(answer) {
  const { error } = expect(answer, 401);
  assert.equal(error.type, "invalid_request_error");
  assert.equal(error.code, "invalid_token");
  assert.equal(answer.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
  assert(!JSON.stringify(error).includes("eyJ"), "a token is repeated");
}

// The provider's keys are asked for at most twice a minute.
async function until(passes, limit_ms = 45_000) {
  const deadline = Date.now() + limit_ms;
  for (;;) {
    const answer = await passes();
    if (answer || Date.now() > deadline) return assert(answer, "it never came to pass");
    await new Promise((done) => setTimeout(done, 500));
  }
}

async function invite(email, projects = [{ id: "default", role: "member" }]) {
  return expect(await admin("/invites", { json: { email, role: "reader", projects } }), 200).token;
}

const tests = {
  async a_provider_that_is_down_is_503_and_not_401() {
    const answer = await chat(at.provider.forge({}));
    const { error } = expect(answer, 503);
    assert.equal(error.type, "server_error");
    assert(answer.headers.get("retry-after"));
    expect(await chat("sk-wrong"), 401);
    expect(await chat(at.key), 200);
    await at.provider.start();
  },

  async a_local_user_signs_in_by_a_password() {
    const token = await invite("lou@example.com");
    expect(await admin("/invites/accept", { json: { token, name: "Lou" } }), 200);
    const set = (input) => spawnSync(plinth, ["--home", at.home, "admin", "user", "password", "lou@example.com"], { input, encoding: "utf8" });
    assert.notEqual(set("short\n").status, 0);
    const done = set(PASSWORD + "\n");
    assert.equal(done.status, 0, done.stderr);
    const browser = new Browser();
    const page = await browser.ask(`${at.url}/sign-in?return_to=/auth/session`);
    const html = await page.text();
    assert(html.includes("Sign in with Example Ltd"));
    assert(!html.includes("<script"));
    assert(page.headers.get("content-security-policy").includes("default-src 'none'"));
    const form = { name: "Lou@Example.com", password: PASSWORD, return_to: "/auth/session" };
    const wrong = await browser.ask(`${at.url}/auth/sign_in`, { form: { ...form, password: "a wrong phrase, sadly" } });
    assert.equal(wrong.status, 303);
    assert.equal(wrong.headers.get("location"), "/sign-in?error=password&return_to=%2Fauth%2Fsession");
    const crossed = await browser.ask(`${at.url}/auth/sign_in`, { form, headers: { "sec-fetch-site": "cross-site" } });
    assert.equal(crossed.status, 403);
    const right = await browser.ask(`${at.url}/auth/sign_in`, { form });
    assert.equal(right.status, 303);
    assert.equal(right.headers.get("location"), "/auth/session");
    const cookie = right.headers.getSetCookie()[0];
    for (const part of ["HttpOnly", "SameSite=Lax", "Path=/"]) assert(cookie.includes(part), cookie);
    const who = await (await browser.ask(`${at.url}/auth/session`)).json();
    assert.equal(who.user.email, "lou@example.com");
    assert.deepEqual(who.projects.map((project) => project.id), ["default"]);
    at.lou = browser;
    at.louId = who.user.id;
  },

  async a_cookie_asks_for_a_page_of_ours_to_change_something() {
    const ask = (headers) => at.lou.ask(`${at.url}/v1/chat/completions`, { json: CHAT, headers });
    for (const headers of [{}, { "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" },
      { origin: "http://evil.test" }, { origin: "null" }]) {
      const answer = await ask(headers);
      assert.equal(answer.status, 403, JSON.stringify(headers));
      await answer.text();
    }
    for (const headers of [{ "sec-fetch-site": "same-origin" }, { origin: at.url }, { "x-plinth-csrf": "1" }])
      assert.equal((await ask(headers)).status, 200, JSON.stringify(headers));
    assert.equal((await at.lou.ask(`${at.url}/v1/models`)).status, 200);
    assert.equal((await at.lou.ask(`${at.url}/v1/organization/users`)).status, 403);
  },

  async a_changed_password_ends_other_sessions() {
    const other = new Browser();
    const form = { name: "lou@example.com", password: PASSWORD };
    await other.ask(`${at.url}/auth/sign_in`, { form });
    assert.equal((await other.ask(`${at.url}/auth/session`)).status, 200);
    const fresh = PASSWORD + ", ever";
    const headers = { "x-plinth-csrf": "1" };
    const change = (current_password, new_password) =>
      at.lou.ask(`${at.url}/auth/password`, { json: { current_password, new_password }, headers });
    assert.equal((await change("not it, I am afraid", fresh)).status, 401);
    assert.equal((await change(PASSWORD, "short")).status, 400);
    assert.equal((await change(PASSWORD, fresh)).status, 200);
    assert.equal((await at.lou.ask(`${at.url}/auth/session`)).status, 200);
    assert.equal((await other.ask(`${at.url}/auth/session`)).status, 401);
  },

  async a_disabled_person_loses_their_session_at_once() {
    const json = { disabled: true };
    expect(await admin(`/users/${at.louId}`, { json }), 200);
    assert.equal((await at.lou.ask(`${at.url}/v1/models`)).status, 401);
    expect(await admin(`/users/${at.louId}`, { json: { disabled: false } }), 200);
    assert.equal((await at.lou.ask(`${at.url}/v1/models`)).status, 401);
  },

  async an_unknown_person_is_refused() {
    at.tokens.ada = await at.provider.personToken("ada");
    await until(async () => (await chat(at.tokens.ada.access)).status !== 503);
    const { error } = expect(await chat(at.tokens.ada.access), 403);
    assert(error.message.includes("invite"), error.message);
  },

  async an_invite_to_a_verified_address_lets_them_in() {
    await invite("ADA@example.com");
    const answer = expect(await chat(at.tokens.ada.access), 200);
    assert.equal(answer.usage.completion_tokens, 3);
    const { data } = expect(await admin("/users?emails[]=ada@example.com"), 200);
    at.adaId = data[0].id;
    const usage = expect(await admin(`/usage/completions?start_time=${Math.floor(Date.now() / 1000) - 86_400}&bucket_width=1d&group_by[]=user_id`), 200);
    const users = usage.data.flatMap((bucket) => bucket.results).map((row) => row.user_id);
    assert(users.includes(at.adaId), JSON.stringify(users));
  },

  async an_invite_to_an_unverified_address_lets_nobody_in() {
    await invite("eve@example.com");
    expect(await chat((await at.provider.personToken("eve")).access), 403);
  },

  async es256_is_taken_like_rs256() {
    const { access } = await at.provider.personToken("ada", ES);
    assert.equal(JSON.parse(Buffer.from(access.split(".")[0], "base64url")).alg, "ES256");
    expect(await chat(access), 200);
  },

  async a_role_of_the_provider_gives_permissions() {
    expect(await call("/v1/organization/users", { token: at.tokens.ada.access }), 403);
    await invite("root@example.com", []);
    const { access } = await at.provider.personToken("root");
    const { data } = expect(await call("/v1/organization/users", { token: access }), 200);
    assert(data.some((user) => user.email === "root@example.com"));
    const made = expect(await call("/v1/organization/projects", { token: access, json: { name: "by root" } }), 200);
    at.tokens.root = access;
    at.project = made.id;
    // An owner of all projects says which one is meant.
    const { error } = expect(await chat(access), 400);
    assert(error.message.includes("OpenAI-Project"), error.message);
    expect(await chat(access, { "openai-project": made.id }), 200);
    expect(await chat(access, { "openai-project": "proj_none" }), 403);
    expect(await chat(at.tokens.ada.access, { "openai-project": made.id }), 403);
    expect(await chat(at.tokens.ada.access, { "openai-project": "default" }), 200);
  },

  async a_program_has_what_its_roles_give() {
    const robot = await at.provider.programToken("robot");
    expect(await chat(robot), 200);
    expect(await call("/v1/organization/users", { token: robot }), 403);
    const who = expect(await call("/auth/session", { token: robot }), 200);
    assert.equal(who.kind, "program");
    expect(await chat(await at.provider.programToken("idle")), 403);
  },

  async forged_tokens_are_refused() {
    const good = at.provider.forge({ sub: "ada" });
    expect(await chat(good), 200);
    const other = new OidcServer(Provider, 9).keys[0];
    const publicPem = createPublicKey({ key: at.provider.keys[0], format: "jwk" }).export({ type: "spki", format: "pem" });
    const [head, claims, signature] = good.split(".");
    const changed = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, "base64url")), sub: "root" })).toString("base64url");
    const past = Math.floor(Date.now() / 1000) - 120;
    const bad = {
      alg_none: at.provider.forge({}, { alg: "none" }),
      hs256_with_the_rsa_key: at.provider.forge({}, { alg: "HS256", key: publicPem }),
      another_key_under_this_id: at.provider.forge({}, { key: other }),
      a_changed_payload: `${head}.${changed}.${signature}`,
      no_signature: `${head}.${claims}.`,
      expired: at.provider.forge({ exp: past }),
      not_yet: at.provider.forge({ nbf: past + 600 }),
      wrong_audience: at.provider.forge({ aud: OTHER }),
      no_audience: at.provider.forge({ aud: undefined }),
      wrong_issuer: at.provider.forge({ iss: "https://evil.test" }),
      no_subject: at.provider.forge({ sub: undefined }),
      no_token: "a.b.c",
    };
    for (const [name, token] of Object.entries(bad)) {
      try {
        refusedToken(await chat(token));
      } catch (error) {
        throw new Error(`${name}: ${error.message}`);
      }
    }
    // What tells us who somebody is lets no program call us.
    refusedToken(await chat(at.tokens.ada.id));
    refusedToken(await chat((await at.provider.personToken("ada", OTHER)).access));
  },

  async a_browser_signs_in_by_code_and_pkce() {
    for (const path of ["//evil.test", "https://evil.test", "/%5Cevil.test", "/%09/evil.test"]) {
      const answer = await fetch(`${at.url}/auth/oidc/start?return_to=${path}`, { redirect: "manual" });
      assert.equal(answer.status, 400, path);
      await answer.text();
    }
    const browser = new Browser();
    const done = `${at.url}/auth/oidc/done`;
    const back = await browser.walk(`${at.url}/auth/oidc/start?return_to=/v1/models`, "ada", done);
    // Another browser with this answer is not let in.
    const stolen = await fetch(back, { redirect: "manual" });
    assert.equal(stolen.headers.get("location"), "/sign-in?error=provider&return_to=%2Fsign-in");
    assert(!stolen.headers.getSetCookie().some((cookie) => cookie.startsWith("plinth_session=")));
    const fresh = await browser.walk(`${at.url}/auth/oidc/start?return_to=/v1/models`, "ada", done);
    const end = await browser.ask(fresh);
    assert.equal(end.status, 303);
    assert.equal(end.headers.get("location"), "/v1/models");
    assert.equal((await browser.ask(`${at.url}/v1/models`)).status, 200);
    const page = await (await browser.ask(`${at.url}/sign-in`)).text();
    assert(page.includes("ADA@example.com") && page.includes("Sign out"), page);
    const again = await browser.ask(fresh);
    assert(again.headers.get("location").startsWith("/sign-in?error=provider"), "a code is good once");
    at.ada = browser;
  },

  async signing_out_ends_the_session() {
    const before = at.ada.cookies(at.url);
    const out = await at.ada.ask(`${at.url}/auth/sign_out`, { form: {} });
    assert.equal(out.status, 303);
    assert.equal(at.ada.cookies(at.url), "");
    expect(await call("/v1/models", { headers: { cookie: before } }), 401);
    expect(await call("/auth/sign_out", { json: {}, headers: { cookie: before, "x-plinth-csrf": "1" } }), 401);
  },

  async new_keys_of_the_provider_are_found() {
    at.provider.rotate("second");
    const { access } = await at.provider.personToken("ada");
    await until(async () => (await chat(access)).status === 200);
    refusedToken(await chat(at.tokens.ada.access));
  },

  async guesses_are_slowed_down() {
    const guess = () => call("/auth/sign_in", { json: { name: "lou@example.com", password: "guess" }, headers: { "x-plinth-csrf": "1" } });
    const statuses = [];
    for (let i = 0; i < 8; ++i) statuses.push((await guess()).status);
    assert.equal(statuses[0], 401);
    assert.equal(statuses[7], 429, JSON.stringify(statuses));
    assert((await guess()).headers.get("retry-after"));
  },

  async sign_ins_are_on_record() {
    // Refusals are written once a minute.
    const has = async (type) => {
      const { data } = expect(await admin(`/audit_logs?event_types[]=${type}&limit=100`), 200);
      return data;
    };
    const signedIn = await has("login.succeeded");
    assert(signedIn.some((entry) => entry.actor.session.user.email === "lou@example.com"), JSON.stringify(signedIn));
    assert((await has("logout.succeeded")).length > 0);
    assert((await has("invite.accepted")).some((entry) => entry.actor.session.user.id === at.adaId));
    const byRoot = (await has("project.created")).find((entry) => entry.actor.type === "session");
    assert.equal(byRoot?.actor.session.user.email, "root@example.com");
    await until(async () => (await has("login.failed")).length > 0, 75_000);
    assert((await has("login.failed")).length < 20, "failed sign-ins are counted, not written one by one");
  },
};

async function start(home, port, issuer) {
  fs.writeFileSync(path.join(home, "secret"), "not+so/secret\n", { mode: 0o600 });
  fs.writeFileSync(path.join(home, "plinth.toml"), `
[auth]
public_url = "http://127.0.0.1:${port}"
oidc_issuer = "${issuer}"
oidc_name = "Example Ltd"
oidc_client_id = "plinth"
oidc_client_secret_file = "${home}/secret"
oidc_audiences = ["${RS}", "${ES}"]
oidc_role_names = ["Plinth.Owner=owner", "Plinth.Infer=default:user"]
oidc_allow_loopback_http = true
`);
  const model = path.join(process.env.PLINTH_TEST_MODELS, "SmolLM2-135M-Instruct.Q4_1.gguf");
  spawnSync(plinth, ["--home", home, "model", "import", model, "--as", "smollm2"], { stdio: ["ignore", "ignore", "inherit"] });
  const server = spawn(plinth, ["--home", home, "up", "--listen", `127.0.0.1:${port}`, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise((done) => server.on("exit", done));
  const line = await Promise.race([
    new Promise((done) => readline.createInterface(server.stdout).once("line", done)),
    exited.then((code) => { throw new Error(`plinth up ended with ${code}`); }),
  ]);
  const ready = JSON.parse(line);
  Object.assign(at, { home, url: ready.url, key: ready.api_key, adminKey: ready.admin_key });
  return { server, exited };
}

async function main() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "plinth-oidc-"));
  const port = await freePort();
  at.provider = new OidcServer(Provider, await freePort());
  at.provider.configure(`http://127.0.0.1:${port}/auth/oidc/done`);
  const { server, exited } = await start(home, port, at.provider.issuer);
  const lines = [];
  for (const [name, run] of Object.entries(tests)) {
    try {
      await run();
      lines.push(`ok oidc.${name}`);
    } catch (error) {
      console.error(`oidc.${name}:`, error);
      lines.push(`not ok oidc.${name}`);
    }
  }
  server.kill("SIGTERM");
  await exited;
  await at.provider.stop();
  fs.rmSync(home, { recursive: true, force: true });
  fs.writeFileSync(result, lines.join("\n") + "\n");
  const failed = lines.filter((text) => text.startsWith("not ok")).length;
  console.log(`oidc: ${lines.length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

await main();
