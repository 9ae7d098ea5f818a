import { describe, expect, it } from 'vitest';
import { type Change, type Conversation, change, EMPTY, messagesFor } from './conversation';

const run = (...actions: Change[]): Conversation => actions.reduce(change, EMPTY);

const ask = (id: string): Change => ({ type: 'ask', id, question: `question ${id}` });
const append = (id: string, text: string): Change => ({ type: 'append', id, text });
const finish = (id: string): Change => ({ type: 'finish', id, facts: undefined });
const failure = { kind: 'interrupted', message: '' } as const;

describe('change', () => {
  it('adds a question with an answer that waits', () => {
    expect(run(ask('a')).turns).toEqual([
      { id: 'a', question: 'question a', answers: [{ text: '', state: 'waiting' }], shown: 0 },
    ]);
  });

  it('joins the pieces of an answer in order', () => {
    const { turns } = run(ask('a'), append('a', '자'), append('a', '립'), finish('a'));
    expect(turns[0]?.answers).toEqual([{ text: '자립', state: 'done' }]);
  });

  it('keeps the text of a stopped answer and takes no later piece', () => {
    const { turns } = run(
      ask('a'),
      append('a', 'half'),
      { type: 'stop', id: 'a' },
      append('a', '!'),
    );
    expect(turns[0]?.answers).toEqual([{ text: 'half', state: 'stopped' }]);
  });

  it('keeps the text of a failed answer', () => {
    const { turns } = run(ask('a'), append('a', 'half'), { type: 'fail', id: 'a', failure });
    expect(turns[0]?.answers).toEqual([{ text: 'half', state: 'failed', failure }]);
  });

  it('keeps every earlier answer when asked again, and shows the new one', () => {
    const { turns } = run(ask('a'), append('a', 'one'), finish('a'), { type: 'again', id: 'a' });
    expect(turns[0]).toMatchObject({ shown: 1, answers: [{ text: 'one' }, { state: 'waiting' }] });
  });

  it('gives the place of an answer without a word to the next', () => {
    const { turns } = run(ask('a'), { type: 'fail', id: 'a', failure }, { type: 'again', id: 'a' });
    expect(turns[0]).toMatchObject({ shown: 0, answers: [{ text: '', state: 'waiting' }] });
  });

  it('shows no answer that does not exist', () => {
    expect(run(ask('a'), { type: 'show', id: 'a', index: 5 }).turns[0]?.shown).toBe(0);
    expect(run(ask('a'), { type: 'show', id: 'a', index: -1 }).turns[0]?.shown).toBe(0);
  });

  it('leaves the other turns as they are, the same objects', () => {
    const before = run(ask('a'), append('a', 'one'), finish('a'), ask('b'));
    expect(change(before, append('b', 'x')).turns[0]).toBe(before.turns[0]);
  });
});

describe('messagesFor', () => {
  const two = run(ask('a'), append('a', 'one'), finish('a'), ask('b'));

  it('gives the turns up to the one asked for', () => {
    expect(messagesFor(two, 'b', '').map((m) => m.content)).toEqual([
      'question a',
      'one',
      'question b',
    ]);
    expect(messagesFor(two, 'a', '').map((m) => m.content)).toEqual(['question a']);
  });

  it('puts the system prompt first, unless it is blank', () => {
    expect(messagesFor(two, 'a', 'Be brief.')[0]).toEqual({ role: 'system', content: 'Be brief.' });
    expect(messagesFor(two, 'a', '  \n')[0]?.role).toBe('user');
  });

  it('builds on the answer that is shown', () => {
    const again = [{ type: 'again', id: 'a' } as const, append('a', 'two'), finish('a')];
    const chosen = [ask('a'), append('a', 'one'), finish('a'), ...again, ask('b')];
    expect(messagesFor(run(...chosen), 'b', '')[1]?.content).toBe('two');
    const back: Change = { type: 'show', id: 'a', index: 0 };
    expect(messagesFor(run(...chosen, back), 'b', '')[1]?.content).toBe('one');
  });

  it('never gives two questions in a row', () => {
    const failed = run(ask('a'), { type: 'fail', id: 'a', failure }, ask('b'));
    expect(messagesFor(failed, 'b', '').map((m) => m.content)).toEqual(['question b']);
  });
});
