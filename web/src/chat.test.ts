import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Chat } from './chat';
import { DEFAULTS } from './settings';
import { KEYS } from './storage';

class MemoryStorage {
  readonly map = new Map<string, string>();
  getItem = (key: string) => this.map.get(key) ?? null;
  setItem = (key: string, value: string) => void this.map.set(key, value);
}

let storage: MemoryStorage;
let pieces: ReadableStreamDefaultController<Uint8Array>;
let sent: { seed: number; messages: unknown[] }[];

const send = (value: unknown) =>
  pieces.enqueue(
    new TextEncoder().encode(
      `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`,
    ),
  );
const sendText = (content: string) => send({ choices: [{ delta: { content } }] });
const settled = () => vi.waitFor(() => expect(chat.snapshot().busy).toBeUndefined());
const lastAnswer = () => chat.snapshot().conversation.turns.at(-1)?.answers.at(-1);

let chat: Chat;

function newChat(seed: number | null = null): Chat {
  return new Chat({
    watch: { ready: () => Promise.resolve('m'), look: () => Promise.resolve() },
    storage: storage as unknown as Storage,
    settings: () => ({ ...DEFAULTS, seed }),
    soon: (callback) => void setTimeout(callback, 0),
  });
}

beforeEach(() => {
  storage = new MemoryStorage();
  sent = [];
  vi.stubGlobal('fetch', (_path: string, init: RequestInit) => {
    sent.push(JSON.parse(String(init.body)));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        pieces = controller;
        init.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
      },
    });
    return Promise.resolve(new Response(body));
  });
  chat = newChat();
});

afterEach(() => vi.unstubAllGlobals());

async function asked(question: string): Promise<void> {
  const before = sent.length;
  chat.ask(question);
  await vi.waitFor(() => expect(sent.length).toBe(before + 1));
}

async function answered(question: string, answer: string): Promise<void> {
  await asked(question);
  sendText(answer);
  send({ choices: [{ delta: {}, finish_reason: 'stop' }] });
  send({ choices: [], usage: { completion_tokens: 4 } });
  send('[DONE]');
  await settled();
}

describe('Chat', () => {
  it('grows the answer while it streams and ends it with its facts', async () => {
    await asked('hi');
    sendText('Hel');
    await vi.waitFor(() => expect(lastAnswer()).toMatchObject({ text: 'Hel', state: 'writing' }));
    sendText('lo');
    send({ choices: [], usage: { completion_tokens: 2 } });
    send('[DONE]');
    await settled();
    expect(lastAnswer()).toMatchObject({
      text: 'Hello',
      state: 'done',
      facts: { tokens: 2, seed: sent[0]?.seed, cut: false },
    });
  });

  it('keeps reasoning apart from the answer, and out of the next question', async () => {
    await asked('hi');
    send({ choices: [{ delta: { reasoning_content: 'Let me' } }] });
    send({ choices: [{ delta: { reasoning_content: ' see.' } }] });
    await vi.waitFor(() =>
      expect(lastAnswer()).toEqual({ text: '', reasoning: 'Let me see.', state: 'writing' }),
    );
    sendText('Yes.');
    send('[DONE]');
    await settled();
    expect(lastAnswer()).toMatchObject({ text: 'Yes.', reasoning: 'Let me see.', state: 'done' });
    chat.close();
    chat = newChat();
    expect(lastAnswer()?.reasoning).toBe('Let me see.');
    await asked('and?');
    expect(JSON.stringify(sent.at(-1)?.messages)).not.toContain('see');
  });

  it('asks nothing blank and nothing while an answer is under way', async () => {
    expect(chat.ask(' \n')).toBe(false);
    await asked('one');
    expect(chat.ask('two')).toBe(false);
    expect(chat.snapshot().conversation.turns).toHaveLength(1);
  });

  it('keeps what came before a stop, the piece not yet shown included', async () => {
    await asked('hi');
    sendText('par');
    sendText('tial');
    await vi.waitFor(() => expect(lastAnswer()?.text).toBe('partial'));
    chat.stop();
    await settled();
    expect(lastAnswer()).toEqual({ text: 'partial', state: 'stopped' });
  });

  it('keeps what came before a failure, and tries again in its place beside it', async () => {
    await asked('hi');
    sendText('half');
    send({ error: { message: 'why' } });
    await settled();
    expect(lastAnswer()).toMatchObject({
      text: 'half',
      failure: { kind: 'server', message: 'why' },
    });
    chat.again();
    expect(chat.snapshot().conversation.turns[0]?.answers).toHaveLength(2);
  });

  it('sends the set seed, and a drawn one otherwise', async () => {
    chat = newChat(7);
    await answered('hi', 'one');
    expect(sent[0]?.seed).toBe(7);
    chat = newChat();
    await answered('hi', 'two');
    await answered('hi', 'three');
    expect(sent[1]?.seed).not.toBe(sent[2]?.seed);
  });

  it('is still there after the page is opened again', async () => {
    await answered('질문', '답');
    expect(newChat().snapshot().conversation).toEqual(chat.snapshot().conversation);
  });

  it('brings the previous conversation back after a new one was begun', async () => {
    await answered('old', 'answer');
    const { conversation } = chat.snapshot();
    chat.startNew();
    expect(chat.snapshot()).toMatchObject({ conversation: { turns: [] }, hasPrevious: true });
    chat.goBack();
    expect(chat.snapshot().conversation).toEqual(conversation);
  });

  it('follows another page only while it rests', async () => {
    await answered('hi', 'one');
    const saved = storage.getItem(KEYS.conversation);
    await asked('two');
    chat.follow(saved);
    expect(chat.snapshot().conversation.turns).toHaveLength(2);
    chat.stop();
    await settled();
    chat.follow(saved);
    expect(chat.snapshot().conversation.turns).toHaveLength(1);
  });

  it('says so when the browser has no room', async () => {
    storage.setItem = () => {
      throw new Error('full');
    };
    await answered('hi', 'one');
    expect(chat.snapshot().kept).toBe(false);
  });
});
