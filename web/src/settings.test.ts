import { describe, expect, it } from 'vitest';
import { DEFAULTS, RANGES, readSettings, readWhole } from './settings';

describe('readWhole', () => {
  it.each([
    ['', null],
    ['  ', null],
    ['1', 1],
    [' 42 ', 42],
    ['4294967295', 4294967295],
    ['4294967296', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['seven', undefined],
  ])('reads %j as %j', (text, value) => {
    expect(readWhole(text, RANGES.seed)).toBe(value);
  });

  it('holds the least value too', () => {
    expect(readWhole('0', RANGES.maxTokens)).toBeUndefined();
  });
});

describe('readSettings', () => {
  it('gives back what was saved', () => {
    const saved = { systemPrompt: '짧게', temperature: 0, maxTokens: null, seed: 0 };
    expect(readSettings(JSON.stringify(saved))).toEqual(saved);
  });

  it.each([null, 'not json', 'null', '[]', '{}'])('gives the defaults for %j', (text) => {
    expect(readSettings(text)).toEqual(DEFAULTS);
  });

  it('drops a field that makes no sense and keeps the others', () => {
    const saved = { systemPrompt: 7, temperature: 9, maxTokens: -4, seed: 12 };
    expect(readSettings(JSON.stringify(saved))).toEqual({ ...DEFAULTS, seed: 12 });
  });
});
