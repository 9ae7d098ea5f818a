// The settings, each with a plain word on what it does. A modal dialog: the browser keeps the focus
// inside and gives it back.
import { useEffect, useId, useRef, useState } from 'react';
import { fill, formatNumber, useSpeech } from '../language';
import {
  DEFAULTS,
  MAX_SYSTEM_PROMPT_CHARS,
  MAX_TEMPERATURE,
  RANGES,
  readWhole,
  type Settings,
} from '../settings';
import { IconButton } from './icon_button';
import { CloseIcon } from './icons';

interface SettingsPanelProps {
  open: boolean;
  settings: Settings;
  onChange: (settings: Settings) => void;
  onClose: () => void;
}

export function SettingsPanel({ open, settings, onChange, onClose }: SettingsPanelProps) {
  const { strings } = useSpeech();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it by keyboard
    <dialog
      ref={dialog}
      className="settings"
      aria-labelledby="settings-title"
      onClose={onClose}
      onClick={(event) => {
        // The dialog's own box is covered by its content: a click on it came from outside.
        if (event.target === dialog.current) onClose();
      }}
    >
      {open && (
        <div className="settings-body">
          <div className="settings-head">
            <h2 id="settings-title">{strings.settings}</h2>
            <IconButton label={strings.close} onClick={onClose}>
              <CloseIcon />
            </IconButton>
          </div>
          <Fields settings={settings} onChange={onChange} />
        </div>
      )}
    </dialog>
  );
}

function Fields({ settings, onChange }: Pick<SettingsPanelProps, 'settings' | 'onChange'>) {
  const { strings } = useSpeech();
  // Counting the resets gives the written fields a new start, whatever was half typed in them.
  const [resets, setResets] = useState(0);
  const set = (part: Partial<Settings>) => onChange({ ...settings, ...part });
  return (
    <>
      <SystemPrompt
        key={`prompt${resets}`}
        value={settings.systemPrompt}
        onChange={(systemPrompt) => set({ systemPrompt })}
      />
      <Temperature value={settings.temperature} onChange={(temperature) => set({ temperature })} />
      <NumberField
        key={`tokens${resets}`}
        label={strings.maxTokens}
        help={strings.maxTokensHelp}
        range={RANGES.maxTokens}
        value={settings.maxTokens}
        onChange={(maxTokens) => set({ maxTokens })}
      />
      <NumberField
        key={`seed${resets}`}
        label={strings.seed}
        help={strings.seedHelp}
        range={RANGES.seed}
        value={settings.seed}
        onChange={(seed) => set({ seed })}
      />
      <div className="settings-foot">
        <button
          type="button"
          onClick={() => {
            onChange(DEFAULTS);
            setResets(resets + 1);
          }}
        >
          {strings.resetSettings}
        </button>
        <p className="help">{strings.settingsApply}</p>
      </div>
    </>
  );
}

interface FieldProps<T> {
  value: T;
  onChange: (value: T) => void;
}

function SystemPrompt({ value, onChange }: FieldProps<string>) {
  const { strings } = useSpeech();
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{strings.systemPrompt}</label>
      <textarea
        id={id}
        rows={4}
        maxLength={MAX_SYSTEM_PROMPT_CHARS}
        placeholder={strings.systemPromptPlaceholder}
        aria-describedby={`${id}-help`}
        defaultValue={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <p className="help" id={`${id}-help`}>
        {strings.systemPromptHelp}
      </p>
    </div>
  );
}

function Temperature({ value, onChange }: FieldProps<number>) {
  const { strings, language } = useSpeech();
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{strings.temperature}</label>
      <output htmlFor={id}>{formatNumber(language, value, 1)}</output>
      <input
        id={id}
        type="range"
        min={0}
        max={MAX_TEMPERATURE}
        step={0.1}
        value={value}
        aria-describedby={`${id}-help`}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      <p className="help" id={`${id}-help`}>
        {strings.temperatureHelp}
      </p>
    </div>
  );
}

interface NumberFieldProps extends FieldProps<number | null> {
  label: string;
  help: string;
  range: { min: number; max: number };
}

function NumberField({ label, help, range, value, onChange }: NumberFieldProps) {
  const { strings } = useSpeech();
  const id = useId();
  const [text, setText] = useState(value === null ? '' : String(value));
  const wrong = readWhole(text, range) === undefined;
  const input = (next: string) => {
    setText(next);
    const read = readWhole(next, range);
    if (read !== undefined) onChange(read);
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="text"
        inputMode="numeric"
        autoComplete="off"
        value={text}
        aria-invalid={wrong}
        aria-describedby={`${id}-help`}
        onChange={(event) => input(event.currentTarget.value)}
      />
      <p className="help" id={`${id}-help`} data-wrong={wrong}>
        {wrong ? fill(strings.wholeNumber, range) : help}
      </p>
    </div>
  );
}
