// The contract by the official JavaScript client: OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say with whom.
// Exits with 1 and the reason at the first broken promise; else the last line is "kept N promises".

import assert from "node:assert/strict";
import OpenAI from "openai";

const model = process.env.MODEL;
const client = new OpenAI({ maxRetries: 3, timeout: 120_000 });
const asked = { model, messages: [{ role: "user", content: "Say hello." }], max_tokens: 16, temperature: 0 };

async function refused(promise, kind, status, code) {
  const error = await promise.then(
    () => assert.fail(`no ${kind.name}`),
    (reason) => reason,
  );
  assert.ok(error instanceof kind, `${error}`);
  assert.equal(error.status, status);
  if (code) assert.equal(error.code, code);
}

const promises = {
  async "the model is listed"() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    assert.ok(ids.includes(model));
  },
  async "a whole answer counts its tokens"() {
    const answer = await client.chat.completions.create(asked);
    assert.equal(answer.object, "chat.completion");
    assert.ok(answer.choices[0].message.content.trim());
    assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens <= 16);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },
  async "a stream is the same answer in pieces, usage last"() {
    const whole = await client.chat.completions.create(asked);
    const stream = await client.chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "",
      usage = null,
      reason = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(reason, whole.choices[0].finish_reason);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
  },
  async "leaving a stream leaves the client usable"() {
    const stream = await client.chat.completions.create({ ...asked, max_tokens: 500, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break;
    assert.ok((await client.chat.completions.create(asked)).id);
  },
  async "an aborted request rejects"() {
    const leave = new AbortController();
    setTimeout(() => leave.abort(), 200);
    const waiting = client.chat.completions.create(
      { ...asked, max_tokens: 2_000, ignore_eos: true },
      { signal: leave.signal },
    );
    await refused(waiting, OpenAI.APIUserAbortError, undefined);
  },
  async "a timeout is the client's own error"() {
    const waiting = client.chat.completions.create(
      { ...asked, max_tokens: 2_000, ignore_eos: true },
      { timeout: 300, maxRetries: 0 },
    );
    await refused(waiting, OpenAI.APIConnectionTimeoutError, undefined);
  },
  async "errors have their classes"() {
    await refused(
      client.chat.completions.create({ ...asked, model: "no-such-model" }),
      OpenAI.NotFoundError,
      404,
      "model_not_found",
    );
    await refused(
      client.chat.completions.create({ ...asked, n: 2 }),
      OpenAI.BadRequestError,
      400,
      "unsupported_value",
    );
    await refused(
      new OpenAI({ apiKey: "wrong", maxRetries: 0 }).models.list(),
      OpenAI.AuthenticationError,
      401,
      "invalid_api_key",
    );
  },
};

for (const [name, keep] of Object.entries(promises)) {
  try {
    await keep();
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  }
}
console.log(`kept ${Object.keys(promises).length} promises`);
