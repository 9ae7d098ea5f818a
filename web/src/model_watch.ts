// Whether the server is there and its model ready. One watch for the page, asked for as long as
// the page is open.
import { keyHeaders } from './access_key';

export type ModelState =
  | { state: 'looking' }
  | { state: 'loading'; progress: number | undefined }
  | { state: 'unreachable' }
  /** The server wants a key, or another one than it was shown. */
  | { state: 'locked'; wrong: boolean }
  | { state: 'ready'; model: string };

const EAGER_MS = 1_000;
const CALM_MS = 15_000;
const REQUEST_MS = 5_000;

export class ModelWatch {
  private current: ModelState = { state: 'looking' };
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking: Promise<void> | undefined;

  readonly snapshot = (): ModelState => this.current;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Asks now, and from then on by itself. */
  readonly look = (): Promise<void> => {
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
      clearTimeout(this.timer);
      const calm = this.current.state === 'ready' || this.current.state === 'locked';
      this.timer = setTimeout(this.look, calm ? CALM_MS : EAGER_MS);
    });
    return this.asking;
  };

  /** The model's name, as soon as it is ready. Rejects only when `signal` aborts. */
  ready(signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.current.state !== 'ready') return;
        stop();
        resolve(this.current.model);
      };
      const abort = () => {
        stop();
        reject(signal.reason);
      };
      const stop = () => {
        unsubscribe();
        signal.removeEventListener('abort', abort);
      };
      const unsubscribe = this.subscribe(check);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
      else check();
    });
  }

  private async ask(): Promise<void> {
    const next = await askServer();
    if (JSON.stringify(next) === JSON.stringify(this.current)) return;
    this.current = next;
    for (const listener of [...this.listeners]) listener();
  }
}

async function askServer(): Promise<ModelState> {
  try {
    const health = await get('/health');
    if (health.status === 503) return await loading(health);
    if (!health.ok) return { state: 'unreachable' };
    const answer = await get('/v1/models');
    if (answer.status === 401 || answer.status === 403) {
      return { state: 'locked', wrong: Object.keys(keyHeaders()).length > 0 };
    }
    const models: unknown = await answer.json();
    const model = (models as { data?: { id?: unknown }[] }).data?.[0]?.id;
    return typeof model === 'string'
      ? { state: 'ready', model }
      : { state: 'loading', progress: undefined };
  } catch {
    return { state: 'unreachable' };
  }
}

function get(path: string): Promise<Response> {
  return fetch(path, {
    cache: 'no-store',
    headers: keyHeaders(),
    signal: AbortSignal.timeout(REQUEST_MS),
  });
}

async function loading(response: Response): Promise<ModelState> {
  const body = (await response.json()) as { status?: unknown; progress?: unknown };
  if (body.status === 'stopping') return { state: 'unreachable' };
  const { progress } = body;
  const known = typeof progress === 'number' && progress >= 0 && progress <= 1;
  return { state: 'loading', progress: known ? progress : undefined };
}
