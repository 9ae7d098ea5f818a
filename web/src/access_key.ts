// The key that this page shows its server, if the server asks for one. Kept for this tab alone, as
// long as it is open: a browser that is to remember it does so as it remembers passwords.
import { load, save } from './storage';

const NAME = 'jarip.key';
/** What a header can hold, and no key is longer. */
const PATTERN = /^[\x21-\x7e]{1,256}$/;

let key = '';

function tabStorage(): Storage | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
}

export function recallKey(): void {
  const kept = load(tabStorage(), NAME) ?? '';
  key = PATTERN.test(kept) ? kept : '';
}

/** False when this can't be a key. */
export function takeKey(text: string): boolean {
  const trimmed = text.trim();
  if (!PATTERN.test(trimmed)) return false;
  key = trimmed;
  save(tabStorage(), NAME, key);
  return true;
}

export const keyHeaders = (): Record<string, string> =>
  key === '' ? {} : { Authorization: `Bearer ${key}` };
