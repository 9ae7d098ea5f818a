// What the browser keeps between visits: the conversation, the one before it, the draft, settings.
import { type Answer, type Conversation, EMPTY, isFinal, type Turn } from './conversation';

export const KEYS = {
  conversation: 'jarip.conversation',
  previous: 'jarip.previous',
  draft: 'jarip.draft',
  settings: 'jarip.settings',
  language: 'jarip.language',
};

/** Browsers give a page about five million characters; two conversations and a draft must fit. */
export const MAX_SAVED_CHARS = 2_000_000;
export const MAX_DRAFT_CHARS = 200_000;

/** False when nothing could be written: the room is used up, or the person allows no storage. */
export function save(storage: Storage | undefined, key: string, text: string): boolean {
  try {
    storage?.setItem(key, text);
    return storage !== undefined;
  } catch {
    return false;
  }
}

export function load(storage: Storage | undefined, key: string): string | null {
  try {
    return storage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

/** Even naming localStorage throws where storage is forbidden. */
export function browserStorage(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

/** The newest turns that fit; the page itself still holds the others. */
export function writeConversation(conversation: Conversation): { text: string; whole: boolean } {
  let room = MAX_SAVED_CHARS;
  const kept: Turn[] = [];
  for (const turn of conversation.turns.toReversed()) {
    room -= JSON.stringify(turn).length + 1;
    if (room < 0) break;
    kept.unshift(turn);
  }
  const whole = kept.length === conversation.turns.length;
  return { text: JSON.stringify({ turns: kept }), whole };
}

/** An answer that was being written when it was saved comes back as stopped. */
export function readConversation(text: string | null): Conversation {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    if (!isRecord(value) || !Array.isArray(value.turns)) return EMPTY;
    return { turns: value.turns.filter(isTurn).map(settle) };
  } catch {
    return EMPTY;
  }
}

function settle(turn: Turn): Turn {
  const answers = turn.answers.map(
    (answer): Answer => (isFinal(answer) ? answer : { ...answer, state: 'stopped' }),
  );
  return { ...turn, answers };
}

const STATES = new Set(['waiting', 'reading', 'writing', 'done', 'stopped', 'failed']);

type Fields = Record<string, unknown>;

const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

function isTurn(value: unknown): value is Turn {
  if (!isRecord(value) || !Array.isArray(value.answers)) return false;
  const { id, question, answers, shown } = value;
  return (
    typeof id === 'string' &&
    typeof question === 'string' &&
    answers.every(isAnswer) &&
    Number.isInteger(shown) &&
    (shown as number) >= 0 &&
    (shown as number) < answers.length
  );
}

function isAnswer(value: unknown): value is Answer {
  if (!isRecord(value)) return false;
  const { text, reasoning, state, facts, failure } = value;
  return (
    typeof text === 'string' &&
    (reasoning === undefined || typeof reasoning === 'string') &&
    STATES.has(String(state)) &&
    (facts === undefined || isFacts(facts)) &&
    (state === 'failed' ? isFailure(failure) : failure === undefined)
  );
}

function isFacts(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { tokens, tokensPerSecond, firstTokenMs, seed, cut } = value;
  return (
    [tokens, firstTokenMs, seed].every((field) => typeof field === 'number') &&
    (tokensPerSecond === undefined || typeof tokensPerSecond === 'number') &&
    typeof cut === 'boolean'
  );
}

const KINDS = new Set(['unreachable', 'interrupted', 'busy', 'tooLong', 'refused', 'server']);

function isFailure(value: unknown): boolean {
  return isRecord(value) && KINDS.has(String(value.kind)) && typeof value.message === 'string';
}
