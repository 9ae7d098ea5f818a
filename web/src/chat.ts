// The conversation of this page and the one answer that may be under way. Owns both; the page reads
// snapshots and calls the verbs.
import { CompletionFailure, type CompletionRequest, complete } from './completion';
import {
  type AnswerFacts,
  type Change,
  type Conversation,
  change,
  EMPTY,
  messagesFor,
} from './conversation';
import type { ModelWatch } from './model_watch';
import { drawSeed, type Settings } from './settings';
import { KEYS, load, readConversation, save, writeConversation } from './storage';

export interface ChatSnapshot {
  conversation: Conversation;
  /** The turn whose answer is under way. */
  busy: string | undefined;
  /** False when the browser could not keep all of it. */
  kept: boolean;
  hasPrevious: boolean;
}

export interface ChatNeeds {
  watch: Pick<ModelWatch, 'ready' | 'look'>;
  storage: Storage | undefined;
  settings: () => Settings;
  /** Runs the callback soon, at most once a frame of the screen. */
  soon: (callback: () => void) => void;
}

const SAVE_MS = 500;

const moment = () => new Promise((resolve) => setTimeout(resolve, 50));

export class Chat {
  private state: ChatSnapshot;
  private readonly listeners = new Set<() => void>();
  private under: AbortController | undefined;
  private saveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly needs: ChatNeeds) {
    this.state = {
      conversation: readConversation(load(needs.storage, KEYS.conversation)),
      busy: undefined,
      kept: true,
      hasPrevious: this.previous().turns.length > 0,
    };
  }

  readonly snapshot = (): ChatSnapshot => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** False when an answer is under way or there is nothing to ask. */
  ask(question: string): boolean {
    if (this.under || question.trim() === '') return false;
    const id = crypto.randomUUID?.() ?? `${Date.now()}-${drawSeed()}`;
    this.apply({ type: 'ask', id, question });
    void this.answer(id);
    return true;
  }

  /** Another answer to the last question. */
  again(): void {
    const turn = this.state.conversation.turns.at(-1);
    if (this.under || !turn) return;
    this.apply({ type: 'again', id: turn.id });
    void this.answer(turn.id);
  }

  stop(): void {
    this.under?.abort();
  }

  show(id: string, index: number): void {
    this.apply({ type: 'show', id, index });
  }

  startNew(): void {
    const { conversation } = this.state;
    if (this.under || conversation.turns.length === 0) return;
    save(this.needs.storage, KEYS.previous, writeConversation(conversation).text);
    this.replace(EMPTY);
    this.keep();
  }

  goBack(): void {
    if (this.under || this.state.conversation.turns.length > 0) return;
    this.replace(this.previous());
    this.keep();
  }

  /** Another page of this browser saved its conversation: a page that rests follows it. */
  follow(text: string | null): void {
    if (!this.under) this.set({ conversation: readConversation(text) });
  }

  /** Writes what a closing page would lose. */
  readonly close = (): void => {
    if (this.saveTimer !== undefined) this.keep();
  };

  private readonly keep = (): void => {
    clearTimeout(this.saveTimer);
    this.saveTimer = undefined;
    const { text, whole } = writeConversation(this.state.conversation);
    const kept = save(this.needs.storage, KEYS.conversation, text) && whole;
    if (kept !== this.state.kept) this.set({ kept });
  };

  private previous(): Conversation {
    return readConversation(load(this.needs.storage, KEYS.previous));
  }

  private replace(conversation: Conversation): void {
    this.apply({ type: 'replace', conversation });
    this.set({ hasPrevious: this.previous().turns.length > 0 });
  }

  private apply(action: Change): void {
    this.set({ conversation: change(this.state.conversation, action) });
    this.saveTimer ??= setTimeout(this.keep, SAVE_MS);
  }

  private set(part: Partial<ChatSnapshot>): void {
    this.state = { ...this.state, ...part };
    for (const listener of [...this.listeners]) listener();
  }

  private async answer(id: string): Promise<void> {
    const controller = new AbortController();
    this.under = controller;
    this.set({ busy: id });
    try {
      const request = await this.request(id, controller.signal);
      this.apply({ type: 'stage', id, state: 'reading' });
      const facts = await this.receive(id, request, controller.signal);
      this.apply({ type: 'finish', id, facts });
    } catch (error) {
      // A page that is being closed has its requests broken off first: that is no failure to keep.
      if (!controller.signal.aborted) await moment();
      this.apply(this.ending(id, error, controller.signal));
      void this.needs.watch.look();
    }
    this.under = undefined;
    this.set({ busy: undefined });
    this.keep();
  }

  private ending(id: string, error: unknown, signal: AbortSignal): Change {
    if (signal.aborted) return { type: 'stop', id };
    const failure =
      error instanceof CompletionFailure
        ? error.failure
        : { kind: 'interrupted' as const, message: String(error) };
    return { type: 'fail', id, failure };
  }

  private async request(id: string, signal: AbortSignal): Promise<CompletionRequest> {
    const model = await this.needs.watch.ready(signal);
    const { systemPrompt, temperature, maxTokens, seed } = this.needs.settings();
    return {
      model,
      messages: messagesFor(this.state.conversation, id, systemPrompt),
      temperature,
      // Drawn here rather than by the server, so that the page can say which seed made an answer.
      seed: seed ?? drawSeed(),
      ...(maxTokens !== null && { maxTokens }),
    };
  }

  /** Pieces are joined until the next frame: a fast model would otherwise redraw for each token. */
  private async receive(
    id: string,
    request: CompletionRequest,
    signal: AbortSignal,
  ): Promise<AnswerFacts | undefined> {
    const clock = new AnswerClock();
    const pending = { reasoning: '', text: '' };
    const flush = () => {
      if (pending.reasoning !== '') this.apply({ type: 'think', id, text: pending.reasoning });
      if (pending.text !== '') this.apply({ type: 'append', id, text: pending.text });
      pending.reasoning = '';
      pending.text = '';
    };
    let tokens: number | undefined;
    let cut = false;
    try {
      for await (const event of complete(request, signal)) {
        if (event.type === 'usage') tokens = event.tokens;
        if (event.type === 'finish') cut = event.reason === 'length';
        if (event.type !== 'text' && event.type !== 'reasoning') continue;
        clock.piece();
        if (pending.reasoning === '' && pending.text === '') this.needs.soon(flush);
        pending[event.type] += event.text;
      }
    } finally {
      flush();
    }
    if (tokens === undefined) return undefined;
    return { tokens, ...clock.measure(tokens), seed: request.seed, cut };
  }
}

class AnswerClock {
  private readonly started = performance.now();
  private first: number | undefined;
  private last = 0;

  piece(): void {
    this.last = performance.now();
    this.first ??= this.last;
  }

  /** The speed counts from the first piece to the last: reading the question is no part of it. */
  measure(tokens: number): { firstTokenMs: number; tokensPerSecond?: number } {
    const first = this.first ?? performance.now();
    const seconds = (this.last - first) / 1000;
    return {
      firstTokenMs: first - this.started,
      ...(tokens > 1 && seconds > 0.02 && { tokensPerSecond: (tokens - 1) / seconds }),
    };
  }
}
