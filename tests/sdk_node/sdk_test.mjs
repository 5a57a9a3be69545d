// The official Node SDK against `plinth up`: sdk_test.mjs PLINTH RESULT.tap MODULES
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

const [plinth, result, modules] = process.argv.slice(2);
const { OpenAI, AzureOpenAI, toFile } = createRequire(path.join(modules, "package.json"))("openai");
const models = process.env.PLINTH_TEST_MODELS;
const USER = [{ role: "user", content: "Name three colours." }];
const EMBEDDER = "all-minilm-l6-v2";

async function metric(client, name) {
  const text = await (await fetch(client.baseURL.replace(/\/v1$/, "/metrics"))).text();
  let sum = 0;
  for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))) sum += Number(value);
  return sum;
}

async function idle(client) {
  const deadline = Date.now() + 20_000;
  while ((await metric(client, "plinth_model_requests_running")) !== 0) {
    assert(Date.now() < deadline, "a request goes on after its client has left");
    await new Promise((done) => setTimeout(done, 50));
  }
}

const refused = (kind, expected, call) =>
  assert.rejects(call, (error) => {
    assert(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    for (const [key, value] of Object.entries(expected)) assert.equal(error[key], value, key);
    return true;
  });

const tests = {
  async azure(client) {
    const endpoint = client.baseURL.replace(/\/v1$/, "");
    const azure = new AzureOpenAI({ endpoint, apiKey: client.apiKey, apiVersion: "2024-10-21", maxRetries: 0 });
    const options = { model: "smollm2", messages: USER, max_tokens: 12, temperature: 0 };
    const { data: answer, response } = await azure.chat.completions.create(options).withResponse();
    assert.equal(response.headers.get("x-ms-deployment-name"), "smollm2");
    assert.match(response.headers.get("apim-request-id"), /^req_/);
    assert.equal(answer.choices[0].message.content, (await client.chat.completions.create(options)).choices[0].message.content);
    let text = "";
    for await (const chunk of await azure.chat.completions.create({ ...options, stream: true })) text += chunk.choices[0]?.delta.content ?? "";
    assert.equal(text, answer.choices[0].message.content);
    await refused(OpenAI.NotFoundError, { status: 404, code: "DeploymentNotFound" }, () => azure.chat.completions.create({ ...options, model: "none" }));
    const wrong = new AzureOpenAI({ endpoint, apiKey: "wrong", apiVersion: "2024-10-21", maxRetries: 0 });
    await refused(OpenAI.AuthenticationError, { status: 401, code: "401" }, () => wrong.chat.completions.create(options));
    const vector = await azure.embeddings.create({ model: EMBEDDER, input: "Hi" });
    assert.equal(vector.data[0].embedding.length, 384);
  },

  async files_and_uploads(client) {
    const body = Buffer.from('{"a": 1}\n'.repeat(100_000));
    const made = await client.files.create({ file: await toFile(body, "lines.jsonl"), purpose: "batch" });
    assert.equal(made.bytes, body.length);
    assert.equal(made.filename, "lines.jsonl");
    assert.equal(made.expires_at, made.created_at + 30 * 86_400);
    assert(Buffer.from(await (await client.files.content(made.id)).arrayBuffer()).equals(body));
    const second = await client.files.create({ file: await toFile(Buffer.from("x"), "x"), purpose: "evals" });
    const seen = [];
    for await (const file of client.files.list({ limit: 1 })) seen.push(file.id);
    assert.deepEqual(seen, [second.id, made.id]);
    const upload = await client.uploads.create({ bytes: 6, filename: "u.txt", mime_type: "text/plain", purpose: "user_data" });
    const part = async (text) => (await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text), "part") })).id;
    const [last, first] = [await part("def"), await part("abc")];
    const done = await client.uploads.complete(upload.id, { part_ids: [first, last] });
    assert.equal(await (await client.files.content(done.file.id)).text(), "abcdef");
    for (const id of [made.id, second.id, done.file.id]) assert.equal((await client.files.delete(id)).deleted, true);
    await refused(OpenAI.NotFoundError, { status: 404, param: "id" }, () => client.files.retrieve(made.id));
    await refused(OpenAI.BadRequestError, { status: 400, param: "purpose" }, async () =>
      client.files.create({ file: await toFile(body, "x"), purpose: "batch_output" }));
  },

  async rules_of_a_project(client) {
    const { projects, certificates, spendAlerts } = client.admin.organization;
    const ask = () => client.chat.completions.create({ model: "smollm2", messages: USER, max_tokens: 1 });
    const denied = await projects.modelPermissions.update("default", { mode: "deny_list", model_ids: ["smollm2"] });
    assert.equal(denied.object, "project.model_permissions");
    await refused(OpenAI.PermissionDeniedError, { status: 403, code: "model_not_found" }, ask);
    assert.equal((await projects.modelPermissions.delete("default")).deleted, true);
    await ask();

    const channel = { type: "email", recipients: ["ada@example.com"] };
    const alert = await spendAlerts.create({ currency: "USD", interval: "month", threshold_amount: 100_000, notification_channel: channel });
    const listed = [];
    for await (const one of spendAlerts.list({ limit: 1 })) listed.push(one.id);
    assert.deepEqual(listed, [alert.id]);
    assert.equal((await spendAlerts.delete(alert.id)).object, "organization.spend_alert.deleted");

    const pem = fs.readFileSync(new URL("../fuzz/corpus/client_ca/authority", import.meta.url), "utf8");
    const made = await certificates.create({ certificate: pem });
    for await (const one of projects.certificates.activate("default", { certificate_ids: [made.id] })) assert.equal(one.active, true);
    for await (const one of projects.certificates.deactivate("default", { certificate_ids: [made.id] })) assert.equal(one.active, false);
    assert.equal((await certificates.delete(made.id)).object, "certificate.deleted");
  },

  async chat(client) {
    const answer = await client.chat.completions.create({ model: "smollm2", messages: USER, max_tokens: 12, temperature: 0 });
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.choices[0].finish_reason, "length");
    assert.equal(answer.choices[0].message.refusal, null);
    assert.equal(answer.usage.completion_tokens, 12);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 12);
    assert.match(answer._request_id, /^req_/);
  },

  async stream_equals_whole(client) {
    const options = { model: "smollm2", messages: USER, max_tokens: 20, seed: 7, temperature: 0.8 };
    const whole = await client.chat.completions.create(options);
    const stream = await client.chat.completions.create({ ...options, stream: true, stream_options: { include_usage: true } });
    let text = "";
    let last;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      last = chunk;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.completion_tokens, whole.usage.completion_tokens);
  },

  async the_stream_helper_gathers_every_choice(client) {
    const options = { model: "smollm2", messages: USER, max_tokens: 8, seed: 2, n: 2, logprobs: true, top_logprobs: 1 };
    const whole = await client.chat.completions.create(options);
    const gathered = await client.chat.completions.stream(options).finalChatCompletion();
    assert.deepEqual(gathered.choices.map((c) => c.message.content), whole.choices.map((c) => c.message.content));
    assert.deepEqual(gathered.choices.map((c) => c.logprobs.content.length), whole.choices.map((c) => c.logprobs.content.length));
  },

  async several_choices(client) {
    const answer = await client.chat.completions.create({ model: "smollm2", messages: USER, max_tokens: 8, n: 3, seed: 1 });
    assert.deepEqual(answer.choices.map((c) => c.index), [0, 1, 2]);
    assert(new Set(answer.choices.map((c) => c.message.content)).size > 1);
  },

  async same_seed_same_text(client) {
    const ask = () => client.chat.completions.create({ model: "smollm2", messages: USER, max_tokens: 12, seed: 5 });
    const answers = await Promise.all([ask(), ask(), ask()]);
    assert.equal(new Set(answers.map((a) => a.choices[0].message.content)).size, 1);
  },

  async stop_is_not_returned(client) {
    const options = { model: "smollm2", messages: USER, max_tokens: 24, temperature: 0 };
    const text = (await client.chat.completions.create(options)).choices[0].message.content;
    const stop = text.slice(6, 10);
    const cut = await client.chat.completions.create({ ...options, stop: [stop] });
    assert.equal(cut.choices[0].message.content, text.slice(0, text.indexOf(stop)));
    assert.equal(cut.choices[0].finish_reason, "stop");
  },

  async logprobs(client) {
    const answer = await client.chat.completions.create(
      { model: "smollm2", messages: USER, max_tokens: 4, temperature: 0, logprobs: true, top_logprobs: 3 });
    const content = answer.choices[0].logprobs.content;
    assert.equal(content.length, 4);
    for (const position of content) {
      assert.equal(position.top_logprobs.length, 3);
      assert.equal(position.token, position.top_logprobs[0].token);
    }
    assert.equal(Buffer.from(content.flatMap((p) => p.bytes)).toString(), answer.choices[0].message.content);
  },

  async completions(client) {
    const answer = await client.completions.create(
      { model: "smollm2", prompt: ["The sky is", "Water is"], max_tokens: 4, echo: true, logprobs: 2, seed: 1 });
    assert.deepEqual(answer.choices.map((c) => c.index), [0, 1]);
    assert(answer.choices[0].text.startsWith("The sky is"));
    assert.equal(answer.choices[0].logprobs.token_logprobs[0], null);
    let text = "";
    for await (const chunk of await client.completions.create({ model: "smollm2", prompt: "The sky is", max_tokens: 4, stream: true }))
      text += chunk.choices[0].text;
    assert(text.length > 0);
  },

  async embeddings(client) {
    const packed = await client.embeddings.create({ model: EMBEDDER, input: ["hello", "world"] });
    const plain = await client.embeddings.create({ model: EMBEDDER, input: ["hello", "world"], encoding_format: "float" });
    assert.equal(packed.data[1].embedding.length, 384);
    packed.data[1].embedding.forEach((x, i) => assert(Math.abs(x - plain.data[1].embedding[i]) < 1e-6));
    const short = await client.embeddings.create({ model: EMBEDDER, input: "hello", dimensions: 32 });
    assert.equal(short.data[0].embedding.length, 32);
  },

  async models_list(client) {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert(ids.includes("smollm2"));
    assert.equal((await client.models.retrieve("smollm2")).owned_by, "plinth");
  },

  async error_classes(client) {
    const ask = (more) => () => client.chat.completions.create({ model: "smollm2", messages: USER, max_tokens: 1, ...more });
    await refused(OpenAI.NotFoundError, { code: "model_not_found", status: 404 }, ask({ model: "nope" }));
    await refused(OpenAI.BadRequestError, { param: "temperature", code: "decimal_above_max_value" }, ask({ temperature: 3 }));
    await refused(OpenAI.BadRequestError, { param: "messages", code: "empty_array" }, ask({ messages: [] }));
    await refused(OpenAI.BadRequestError, { code: "context_length_exceeded" }, ask({ max_tokens: 9000 }));
    await refused(OpenAI.BadRequestError, { param: "tool_choice" }, ask({ tool_choice: "required" }));
    const wrong = new OpenAI({ baseURL: client.baseURL, apiKey: "sk-wrong", maxRetries: 0 });
    await refused(OpenAI.AuthenticationError, { code: "invalid_api_key", status: 401 }, () => wrong.models.list());
    await refused(OpenAI.PermissionDeniedError, { status: 403 }, () => client.models.delete("smollm2"));
  },

  async a_timeout_frees_the_request(client) {
    await assert.rejects(
      () => client.chat.completions.create({ model: "smollm2", messages: USER, ignore_eos: true }, { timeout: 800, maxRetries: 0 }),
      OpenAI.APIConnectionTimeoutError);
    await idle(client);
  },

  async an_abort_frees_the_request(client) {
    const abort = new AbortController();
    const stream = await client.chat.completions.create(
      { model: "smollm2", messages: USER, ignore_eos: true, stream: true }, { signal: abort.signal });
    let chunks = 0;
    for await (const _ of stream) {
      if (++chunks === 3) abort.abort();
    }
    assert(chunks >= 3 && chunks < 200, `${chunks} chunks`);
    await idle(client);
  },
};

async function main() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "plinth-node-"));
  // A model that cannot be imported fails its own tests, not the others'.
  const load = (file, name) =>
    spawnSync(plinth, ["--home", home, "model", "import", path.join(models, file), "--as", name], { stdio: ["ignore", "ignore", "inherit"] });
  load("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2");
  load("minilm", EMBEDDER);
  const server = spawn(plinth, ["--home", home, "up", "--listen", "127.0.0.1:0", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise((done) => server.on("exit", done));
  const [line] = await Promise.race([
    new Promise((done) => readline.createInterface(server.stdout).once("line", (text) => done([text]))),
    exited.then((code) => { throw new Error(`plinth up ended with ${code}`); }),
  ]);
  const ready = JSON.parse(line);
  const client = new OpenAI({ baseURL: ready.url + "/v1", apiKey: ready.api_key, adminAPIKey: ready.admin_key, timeout: 60_000, maxRetries: 0 });
  const lines = [];
  for (const [name, run] of Object.entries(tests)) {
    try {
      await run(client);
      lines.push(`ok sdk_node.${name}`);
    } catch (error) {
      console.error(`sdk_node.${name}:`, error);
      lines.push(`not ok sdk_node.${name}`);
    }
  }
  server.kill("SIGTERM");
  await exited;
  fs.rmSync(home, { recursive: true, force: true });
  fs.writeFileSync(result, lines.join("\n") + "\n");
  const failed = lines.filter((text) => text.startsWith("not ok")).length;
  console.log(`sdk_node: ${lines.length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

await main();
