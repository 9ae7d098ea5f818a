// What a person can set for the answers, with the range of each.

export interface Settings {
  systemPrompt: string;
  temperature: number;
  /** null: as long as the model can. */
  maxTokens: number | null;
  /** null: a new one for each answer. */
  seed: number | null;
}

export const DEFAULTS: Settings = {
  systemPrompt: '',
  temperature: 0.7,
  maxTokens: 1024,
  seed: null,
};

export const MAX_TEMPERATURE = 2;
export const MAX_SYSTEM_PROMPT_CHARS = 20_000;
export const RANGES = {
  maxTokens: { min: 1, max: 131_072 },
  seed: { min: 0, max: 2 ** 32 - 1 },
};

/** A field's text as its value; undefined when it is not one. */
export function readWhole(
  text: string,
  range: { min: number; max: number },
): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (!/^\d{1,10}$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return value >= range.min && value <= range.max ? value : undefined;
}

/** Settings from storage, field by field: one that makes no sense falls back alone. */
export function readSettings(text: string | null): Settings {
  let saved: Partial<Record<keyof Settings, unknown>> = {};
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (typeof value === 'object' && value !== null) saved = value;
  } catch {
    // Not ours: the defaults stand.
  }
  const { systemPrompt, temperature } = saved;
  const whole = (name: 'maxTokens' | 'seed') => {
    const value = saved[name] === null ? null : readWhole(String(saved[name]), RANGES[name]);
    return value === undefined ? DEFAULTS[name] : value;
  };
  return {
    systemPrompt:
      typeof systemPrompt === 'string'
        ? systemPrompt.slice(0, MAX_SYSTEM_PROMPT_CHARS)
        : DEFAULTS.systemPrompt,
    temperature:
      typeof temperature === 'number' && temperature >= 0 && temperature <= MAX_TEMPERATURE
        ? temperature
        : DEFAULTS.temperature,
    maxTokens: whole('maxTokens'),
    seed: whole('seed'),
  };
}

export function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
