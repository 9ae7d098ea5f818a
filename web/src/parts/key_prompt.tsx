// Asks for a key where the server wants one: shown in place of nothing else, gone once it is good.
import { useId, useState } from 'react';
import { takeKey } from '../access_key';
import { useSpeech } from '../language';

interface KeyPromptProps {
  /** A key was shown and was not good. */
  wrong: boolean;
  /** Tries the key that was entered. */
  onKey: () => Promise<void>;
}

export function KeyPrompt({ wrong, onKey }: KeyPromptProps) {
  const { strings } = useSpeech();
  const id = useId();
  const [text, setText] = useState('');
  const [refused, setRefused] = useState(false);
  const shown = wrong || refused;
  return (
    <form
      className="key-prompt"
      aria-labelledby={`${id}-title`}
      onSubmit={(event) => {
        event.preventDefault();
        const taken = takeKey(text);
        setRefused(!taken);
        if (taken) void onKey();
      }}
    >
      <h2 id={`${id}-title`}>{strings.keyNeeded}</h2>
      <div className="field">
        <label htmlFor={id}>{strings.key}</label>
        <input
          id={id}
          type="password"
          autoComplete="current-password"
          spellCheck={false}
          value={text}
          aria-invalid={shown}
          aria-describedby={`${id}-help`}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <p className="help" id={`${id}-help`} data-wrong={shown} role="status">
          {shown ? strings.keyWrong : strings.keyHelp}
        </p>
      </div>
      <button type="submit">{strings.keyUse}</button>
    </form>
  );
}
