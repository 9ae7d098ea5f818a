// Which language the page speaks, and how it fills in and counts.
import { createContext, useContext } from 'react';
import { CATALOGUE, type Language, type Strings } from './strings';

/** The first of the person's languages that the page has; English if none. */
export function chooseLanguage(saved: string | null, preferred: readonly string[]): Language {
  if (saved === 'en' || saved === 'ko') return saved;
  for (const tag of preferred) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'en' || language === 'ko') return language;
  }
  return 'en';
}

export function fill(template: string, values: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export interface Speech {
  language: Language;
  strings: Strings;
}

export function speechIn(language: Language): Speech {
  return { language, strings: CATALOGUE[language] };
}

export const SpeechContext = createContext<Speech>(speechIn('en'));
export const useSpeech = (): Speech => useContext(SpeechContext);

export function formatNumber(language: Language, value: number, digits = 0): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, options).format(value);
}

export function countTokens({ language, strings }: Speech, n: number): string {
  const form = new Intl.PluralRules(language).select(n) === 'one' ? 'tokensOne' : 'tokensOther';
  return fill(strings[form], { n: formatNumber(language, n) });
}
