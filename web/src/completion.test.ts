import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CompletionEvent, CompletionFailure, complete } from './completion';

const request = {
  model: 'm',
  messages: [{ role: 'user' as const, content: 'hi' }],
  temperature: 0.7,
  seed: 5,
};

function answerWith(response: Response | Error): void {
  vi.stubGlobal('fetch', () =>
    response instanceof Error ? Promise.reject(response) : Promise.resolve(response),
  );
}

const stream = (...events: unknown[]) =>
  new Response(
    events.map((e) => `data: ${typeof e === 'string' ? e : JSON.stringify(e)}\n\n`).join(''),
  );

const delta = (content: string) => ({ choices: [{ delta: { content } }] });

async function collect(): Promise<CompletionEvent[]> {
  const events: CompletionEvent[] = [];
  for await (const event of complete(request, new AbortController().signal)) events.push(event);
  return events;
}

async function failureOf(response: Response | Error) {
  answerWith(response);
  const error: unknown = await collect().catch((caught: unknown) => caught);
  return error instanceof CompletionFailure ? error.failure : error;
}

const errorBody = (code: string | null) => JSON.stringify({ error: { message: 'why', code } });

afterEach(() => vi.unstubAllGlobals());

describe('complete', () => {
  it('gives text, finish and usage in order', async () => {
    answerWith(
      stream(
        { choices: [{ delta: { role: 'assistant', content: '' } }] },
        delta('안'),
        delta('녕'),
        { choices: [{ delta: {}, finish_reason: 'stop' }] },
        { choices: [], usage: { completion_tokens: 3 } },
        '[DONE]',
      ),
    );
    expect(await collect()).toEqual([
      { type: 'text', text: '안' },
      { type: 'text', text: '녕' },
      { type: 'finish', reason: 'stop' },
      { type: 'usage', tokens: 3 },
    ]);
  });

  it('tells reasoning from the answer', async () => {
    answerWith(
      stream(
        { choices: [{ delta: { reasoning_content: 'hm', reasoning: 'hm' } }] },
        delta('A'),
        '[DONE]',
      ),
    );
    expect(await collect()).toEqual([
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'A' },
    ]);
  });

  it('asks for a stream with usage, and for no limit that was not set', async () => {
    const fetched = vi.fn((_path: string, _init: RequestInit) => Promise.resolve(stream('[DONE]')));
    vi.stubGlobal('fetch', fetched);
    await collect();
    expect(fetched.mock.calls[0]?.[0]).toBe('/v1/chat/completions');
    expect(JSON.parse(String(fetched.mock.calls[0]?.[1].body))).toEqual({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('tells a stream that broke off from one that ended', async () => {
    expect(await failureOf(stream(delta('half')))).toEqual({ kind: 'interrupted', message: '' });
  });

  it('gives the error that a stream ends with', async () => {
    expect(await failureOf(stream(delta('half'), { error: { message: 'why' } }))).toEqual({
      kind: 'server',
      message: 'why',
    });
  });

  it('calls data that is not JSON an interruption', async () => {
    expect(await failureOf(stream('{"choices'))).toMatchObject({ kind: 'interrupted' });
  });

  it.each([
    [400, 'context_length_exceeded', 'tooLong'],
    [400, null, 'refused'],
    [404, 'model_not_found', 'refused'],
    [429, null, 'busy'],
    [503, null, 'busy'],
    [500, null, 'server'],
  ])('names the kind of a %i with code %s: %s', async (status, code, kind) => {
    expect(await failureOf(new Response(errorBody(code), { status }))).toEqual({
      kind,
      message: 'why',
    });
  });

  it('names the status when the refusal says nothing', async () => {
    expect(await failureOf(new Response('<html>', { status: 502 }))).toEqual({
      kind: 'server',
      message: 'HTTP 502',
    });
  });

  it('says unreachable when no answer comes at all', async () => {
    expect(await failureOf(new TypeError('network'))).toMatchObject({ kind: 'unreachable' });
  });
});
