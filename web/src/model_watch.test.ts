import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { takeKey } from './access_key';
import { ModelWatch } from './model_watch';

let health: () => Response;
let models: () => Response;

beforeEach(() => {
  vi.useFakeTimers();
  models = () => Response.json({ data: [{ id: 'smollm2' }] });
  vi.stubGlobal('fetch', async (path: string) => (path === '/health' ? health() : models()));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const loading = () => Response.json({ status: 'loading', progress: 0.25 }, { status: 503 });
const stopping = () => Response.json({ status: 'stopping' }, { status: 503 });
const ok = () => Response.json({ status: 'ok' });
const gone = () => {
  throw new TypeError('network');
};

describe('ModelWatch', () => {
  it('tells loading, ready and out of reach apart', async () => {
    const watch = new ModelWatch();
    expect(watch.snapshot()).toEqual({ state: 'looking' });
    health = loading;
    await watch.look();
    expect(watch.snapshot()).toEqual({ state: 'loading', progress: 0.25 });
    health = ok;
    await watch.look();
    expect(watch.snapshot()).toEqual({ state: 'ready', model: 'smollm2' });
    for (const unreachable of [gone, stopping]) {
      health = unreachable;
      await watch.look();
      expect(watch.snapshot()).toEqual({ state: 'unreachable' });
      health = ok;
      await watch.look();
    }
  });

  it('says when a key is needed, and that the one it showed is not good', async () => {
    const watch = new ModelWatch();
    health = ok;
    models = () => Response.json({ error: {} }, { status: 401 });
    await watch.look();
    expect(watch.snapshot()).toEqual({ state: 'locked', wrong: false });
    takeKey('not-good');
    await watch.look();
    expect(watch.snapshot()).toEqual({ state: 'locked', wrong: true });
    models = () => Response.json({ data: [{ id: 'smollm2' }] });
    await watch.look();
    expect(watch.snapshot()).toEqual({ state: 'ready', model: 'smollm2' });
  });

  it('finds out by itself when the model is ready, and tells who waits', async () => {
    const watch = new ModelWatch();
    health = loading;
    await watch.look();
    const model = watch.ready(new AbortController().signal);
    health = ok;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await model).toBe('smollm2');
  });

  it('lets go of who waits when they give up', async () => {
    const watch = new ModelWatch();
    const controller = new AbortController();
    const model = watch.ready(controller.signal);
    controller.abort(new Error('given up'));
    await expect(model).rejects.toThrow('given up');
  });

  it('asks once for looks at the same time', async () => {
    const asked = vi.fn(ok);
    health = asked;
    const watch = new ModelWatch();
    await Promise.all([watch.look(), watch.look()]);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('tells listeners changes only', async () => {
    const watch = new ModelWatch();
    const listener = vi.fn();
    watch.subscribe(listener);
    health = ok;
    await watch.look();
    await watch.look();
    expect(listener).toHaveBeenCalledTimes(1);
  });
});
