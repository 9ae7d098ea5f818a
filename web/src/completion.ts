// One streamed chat completion: the request, and the events of its answer.
import { keyHeaders } from './access_key';
import type { Failure, Message } from './conversation';
import { SseParser } from './sse';

export interface CompletionRequest {
  model: string;
  messages: Message[];
  temperature: number;
  seed: number;
  /** Absent: whatever the model's context leaves. */
  maxTokens?: number;
}

export type CompletionEvent =
  | { type: 'reasoning'; text: string }
  | { type: 'text'; text: string }
  | { type: 'finish'; reason: string }
  | { type: 'usage'; tokens: number };

export class CompletionFailure extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

const fail = (kind: Failure['kind'], message = '') => new CompletionFailure({ kind, message });

/** Throws CompletionFailure; once `signal` aborts, it ends with the signal's reason instead. */
export async function* complete(
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<CompletionEvent> {
  const response = await post(request, signal);
  if (!response.ok || !response.body) throw await refusal(response);
  const reader = response.body.getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw fail('interrupted');
      for (const data of parser.push(value)) {
        if (data === '[DONE]') return;
        yield* readChunk(data);
      }
    }
  } catch (error) {
    if (signal.aborted || error instanceof CompletionFailure) throw error;
    throw fail('interrupted');
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function post(request: CompletionRequest, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...keyHeaders() },
      body: JSON.stringify({
        model: request.model,
        messages: request.messages,
        temperature: request.temperature,
        seed: request.seed,
        ...(request.maxTokens !== undefined && { max_tokens: request.maxTokens }),
        stream: true,
        stream_options: { include_usage: true },
      }),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw fail('unreachable');
  }
}

interface Chunk {
  choices?: {
    delta?: { content?: string | null; reasoning_content?: string | null };
    finish_reason?: string | null;
  }[];
  usage?: { completion_tokens?: number } | null;
  error?: { message?: string; code?: string | null };
}

function* readChunk(data: string): Generator<CompletionEvent> {
  const chunk = parseJson(data);
  if (!chunk) throw fail('interrupted');
  if (chunk.error) throw fail('server', chunk.error.message);
  const choice = chunk.choices?.[0];
  const thought = choice?.delta?.reasoning_content;
  if (thought) yield { type: 'reasoning', text: thought };
  if (choice?.delta?.content) yield { type: 'text', text: choice.delta.content };
  if (choice?.finish_reason) yield { type: 'finish', reason: choice.finish_reason };
  if (typeof chunk.usage?.completion_tokens === 'number') {
    yield { type: 'usage', tokens: chunk.usage.completion_tokens };
  }
}

function parseJson(text: string): Chunk | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

async function refusal(response: Response): Promise<CompletionFailure> {
  const error = parseJson(await response.text().catch(() => ''))?.error;
  const message = error?.message ?? `HTTP ${response.status}`;
  if (error?.code === 'context_length_exceeded') return fail('tooLong', message);
  if (response.status === 429 || response.status === 503) return fail('busy', message);
  return fail(response.status < 500 ? 'refused' : 'server', message);
}
