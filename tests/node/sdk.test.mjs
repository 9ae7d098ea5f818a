// OpenAI's official SDK for Node.js against the real program with a real model.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import OpenAI from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { RealServer } from '../browser/real_server.mjs';

const server = new RealServer();
const messages = [{ role: 'user', content: 'What is the capital of France?' }];
const City = z.object({ name: z.string().max(20), inhabitants: z.int() });
let client;
let model;
let greedy;

before(async () => {
  await server.start();
  client = new OpenAI({ baseURL: `${server.origin}/v1`, apiKey: 'unused', maxRetries: 0 });
  model = (await client.models.list()).data[0].id;
  greedy = { model, messages, temperature: 0, max_tokens: 24 };
});
after(() => server.stop());

async function streamed(chunks) {
  let text = '';
  for await (const chunk of chunks) text += chunk.choices[0]?.delta.content ?? '';
  return text;
}

it('answers a chat, whole and streamed', async () => {
  const whole = await client.chat.completions.create(greedy);
  assert.equal(whole.usage.completion_tokens, 24);
  assert.equal(
    await streamed(await client.chat.completions.create({ ...greedy, stream: true })),
    whole.choices[0].message.content,
  );
  const final = await client.chat.completions.stream(greedy).finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
});

it('gives the logarithms of probability with their bytes', async () => {
  const answer = await client.chat.completions.create({
    ...greedy,
    logprobs: true,
    top_logprobs: 20,
  });
  const tokens = answer.choices[0].logprobs.content;
  const bytes = Buffer.from(tokens.flatMap((token) => token.bytes));
  assert.equal(bytes.toString(), answer.choices[0].message.content);
  for (const token of tokens) assert.equal(token.top_logprobs.length, 20);
});

it('answers a response, whole and streamed', async () => {
  const request = { model, input: messages, temperature: 0, max_output_tokens: 24 };
  const whole = await client.responses.create(request);
  const stream = client.responses.stream(request);
  let text = '';
  for await (const event of stream) {
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  assert.equal(text, whole.output_text);
  assert.equal((await stream.finalResponse()).output_text, whole.output_text);
});

it('parses what a schema says', async () => {
  const chat = await client.chat.completions.parse({
    ...greedy,
    max_tokens: 80,
    response_format: zodResponseFormat(City, 'city'),
  });
  City.parse(chat.choices[0].message.parsed);
  const response = await client.responses.parse({
    model,
    input: messages,
    temperature: 0,
    text: { format: zodTextFormat(City, 'city') },
  });
  City.parse(response.output_parsed);
});

it('throws its own errors', async () => {
  await assert.rejects(client.chat.completions.create({ ...greedy, best_of: 2 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, 'best_of');
    assert.equal(error.code, 'unsupported_value');
    return true;
  });
  await assert.rejects(client.models.retrieve('no-such-model'), OpenAI.NotFoundError);
  await assert.rejects(client.embeddings.create({ model, input: 'a' }), OpenAI.BadRequestError);
});

it('cancels what is no longer read', async () => {
  const stream = await client.chat.completions.create({
    ...greedy,
    max_tokens: 1500,
    ignore_eos: true,
    stream: true,
  });
  for await (const _ of stream) break;
  const end = Date.now() + 10_000;
  while ((await server.metric('jarip_num_requests_running')) > 0) {
    assert.ok(Date.now() < end, 'it still runs');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
