import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyHeaders, recallKey, takeKey } from './access_key';

const kept = new Map<string, string>();

beforeEach(() => {
  kept.clear();
  vi.stubGlobal('window', {
    sessionStorage: {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, text: string) => kept.set(name, text),
    },
  });
  recallKey();
});

afterEach(() => vi.unstubAllGlobals());

describe('the access key', () => {
  it('goes with requests once it is there, and comes back with the tab', () => {
    expect(keyHeaders()).toEqual({});
    expect(takeKey('  jarip_0_1\n')).toBe(true);
    expect(keyHeaders()).toEqual({ Authorization: 'Bearer jarip_0_1' });
    recallKey();
    expect(keyHeaders()).toEqual({ Authorization: 'Bearer jarip_0_1' });
  });

  it('is never what no header can hold', () => {
    for (const text of ['', '   ', 'a b', '열쇠', 'a\r\nX: y', 'x'.repeat(257)]) {
      expect(takeKey(text)).toBe(false);
    }
    expect(keyHeaders()).toEqual({});
    kept.set('jarip.key', 'a\nb');
    recallKey();
    expect(keyHeaders()).toEqual({});
  });

  it('works for this visit where nothing may be kept', () => {
    vi.stubGlobal('window', {
      get sessionStorage(): Storage {
        throw new Error('forbidden');
      },
    });
    expect(takeKey('jarip_0_1')).toBe(true);
    expect(keyHeaders()).toEqual({ Authorization: 'Bearer jarip_0_1' });
  });
});
