import { describe, expect, it } from 'vitest';
import { chooseLanguage, countTokens, fill, speechIn } from './language';
import { CATALOGUE } from './strings';

const names = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

describe('the catalogue', () => {
  it('has the same keys in both languages', () => {
    expect(Object.keys(CATALOGUE.ko)).toEqual(Object.keys(CATALOGUE.en));
  });

  it('fills in the same names in both languages', () => {
    for (const [key, text] of Object.entries(CATALOGUE.en)) {
      expect(names(CATALOGUE.ko[key as keyof typeof CATALOGUE.ko]), key).toEqual(names(text));
    }
  });

  it('leaves nothing untranslated', () => {
    for (const [key, text] of Object.entries(CATALOGUE.ko)) {
      if (key !== 'otherLanguage') expect(text, key).toMatch(/[가-힣]/);
    }
    for (const [key, text] of Object.entries(CATALOGUE.en)) {
      if (key !== 'otherLanguage') expect(text, key).not.toMatch(/[가-힣]/);
    }
  });
});

describe('chooseLanguage', () => {
  it('takes the choice that was saved', () => {
    expect(chooseLanguage('ko', ['en-US'])).toBe('ko');
  });

  it('takes the first preferred language it has', () => {
    expect(chooseLanguage(null, ['fr', 'ko-KR', 'en'])).toBe('ko');
    expect(chooseLanguage('xx', ['en-GB', 'ko'])).toBe('en');
    expect(chooseLanguage(null, ['fr'])).toBe('en');
  });
});

describe('fill', () => {
  it('fills in what is given and leaves the rest as it is', () => {
    expect(fill('{a} of {b} {c}', { a: 1, b: '$&' })).toBe('1 of $& {c}');
  });
});

describe('countTokens', () => {
  it('knows one from many', () => {
    expect(countTokens(speechIn('en'), 1)).toBe('1 token');
    expect(countTokens(speechIn('en'), 1200)).toBe('1,200 tokens');
    expect(countTokens(speechIn('ko'), 1)).toBe('토큰 1개');
  });
});
