import { describe, expect, it } from 'vitest';
import type { Conversation, Turn } from './conversation';
import { load, MAX_SAVED_CHARS, readConversation, save, writeConversation } from './storage';

const turn = (id: string, over: Partial<Turn> = {}): Turn => ({
  id,
  question: '질문',
  answers: [
    {
      text: '답',
      state: 'done',
      facts: { tokens: 2, tokensPerSecond: 40, firstTokenMs: 12, seed: 7, cut: false },
    },
  ],
  shown: 0,
  ...over,
});

const failed = turn('f', {
  answers: [{ text: '', state: 'failed', failure: { kind: 'busy', message: 'full' } }],
});

describe('a conversation in storage', () => {
  it('comes back as it was', () => {
    const conversation: Conversation = { turns: [turn('a'), failed] };
    const { text, whole } = writeConversation(conversation);
    expect([readConversation(text), whole]).toEqual([conversation, true]);
  });

  it('comes back with the answer stopped that was being written', () => {
    const writing = turn('a', { answers: [{ text: 'half', state: 'writing' }] });
    const [back] = readConversation(writeConversation({ turns: [writing] }).text).turns;
    expect(back?.answers).toEqual([{ text: 'half', state: 'stopped' }]);
  });

  it('keeps the newest turns when all do not fit', () => {
    const long = 'x'.repeat(MAX_SAVED_CHARS / 2);
    const turns = ['a', 'b', 'c'].map((id) => turn(id, { question: long }));
    const { text, whole } = writeConversation({ turns });
    expect(whole).toBe(false);
    expect(text.length).toBeLessThanOrEqual(MAX_SAVED_CHARS + 20);
    expect(readConversation(text).turns.map((t) => t.id)).toEqual(['c']);
  });

  it.each([
    null,
    '',
    'not json',
    'null',
    '[]',
    '{"turns":7}',
    '{"turns":[null,1,"x",[],{}]}',
    JSON.stringify({ turns: [turn('a', { answers: [] })] }),
    JSON.stringify({ turns: [turn('a', { shown: 1 })] }),
    JSON.stringify({ turns: [turn('a', { shown: -1 })] }),
    JSON.stringify({ turns: [{ ...turn('a'), question: 7 }] }),
    JSON.stringify({ turns: [{ ...turn('a'), answers: [{ text: '', state: 'odd' }] }] }),
    JSON.stringify({ turns: [{ ...turn('a'), answers: [{ text: '', state: 'failed' }] }] }),
  ])('is empty rather than wrong for %j', (text) => {
    expect(readConversation(text)).toEqual({ turns: [] });
  });
});

describe('storage that is full or forbidden', () => {
  const refusing = {
    getItem: () => {
      throw new Error('forbidden');
    },
    setItem: () => {
      throw new Error('full');
    },
  } as unknown as Storage;

  it('is told, not thrown', () => {
    expect(save(refusing, 'k', 'v')).toBe(false);
    expect(load(refusing, 'k')).toBeNull();
    expect(save(undefined, 'k', 'v')).toBe(false);
  });
});
