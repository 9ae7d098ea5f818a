// Where questions are written. The text area keeps its own value: writing to it while an input
// method composes would break the syllable.
import {
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
} from 'react';
import { Composer } from '../compose';
import { useSpeech } from '../language';
import { KEYS, load, MAX_DRAFT_CHARS, save } from '../storage';
import { IconButton } from './icon_button';
import { DownIcon, SendIcon, StopIcon } from './icons';

export interface QuestionBoxHandle {
  focus: () => void;
}

interface QuestionBoxProps {
  handle: RefObject<QuestionBoxHandle | null>;
  storage: Storage | undefined;
  busy: boolean;
  kept: boolean;
  /** False when the question was not taken. */
  onAsk: (question: string) => boolean;
  onStop: () => void;
  onLatest: (() => void) | undefined;
}

export function QuestionBox(props: QuestionBoxProps) {
  const { busy, kept, onLatest } = props;
  const { strings } = useSpeech();
  const { area, composer, empty, changed, submit, press, onKeyDown } = useQuestion(props);
  return (
    <footer className="dock">
      {onLatest && (
        <IconButton label={strings.toLatest} onClick={onLatest} className="to-latest">
          <DownIcon />
        </IconButton>
      )}
      <form
        className="box"
        onSubmit={(event) => {
          event.preventDefault();
          press();
        }}
      >
        <textarea
          id="question"
          ref={area}
          rows={1}
          aria-label={strings.ask}
          aria-describedby="question-hint"
          placeholder={strings.askPlaceholder}
          enterKeyHint="send"
          onInput={changed}
          onKeyDown={onKeyDown}
          onCompositionStart={() => composer.compositionStart()}
          onCompositionEnd={() => {
            if (composer.compositionEnd()) submit();
          }}
        />
        <button
          type="submit"
          className="send"
          data-busy={busy}
          aria-disabled={!busy && empty}
          title={busy ? strings.stop : strings.send}
          aria-label={busy ? strings.stop : strings.send}
        >
          {busy ? <StopIcon /> : <SendIcon />}
        </button>
      </form>
      <Hint kept={kept} />
    </footer>
  );
}

function Hint({ kept }: { kept: boolean }) {
  const { strings } = useSpeech();
  return (
    <p className="hint" id="question-hint" data-warning={!kept}>
      {kept ? (
        <>
          <span className="hint-keys">{strings.askKeys} </span>
          {strings.askCaution}
        </>
      ) : (
        strings.notSaved
      )}
    </p>
  );
}

/** The text area's state and what its keys and the button do. */
function useQuestion({ handle, storage, busy, onAsk, onStop }: QuestionBoxProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const composer = useMemo(() => new Composer(), []);
  const [empty, setEmpty] = useState(true);

  const changed = () => {
    const text = area.current;
    if (!text) return;
    fitHeight(text);
    setEmpty(text.value.trim() === '');
    save(storage, KEYS.draft, text.value.slice(0, MAX_DRAFT_CHARS));
  };
  const submit = () => {
    const text = area.current;
    if (!text || !onAsk(text.value)) return;
    text.value = '';
    changed();
  };
  const press = () => {
    if (busy) return onStop();
    const send = composer.press();
    // Leaving the text area closes an open syllable; what is due is sent when it has.
    if (!send) area.current?.blur();
    else submit();
    area.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!composer.sendsOn(event.nativeEvent)) return;
    event.preventDefault();
    submit();
  };

  useImperativeHandle(handle, () => ({ focus: () => area.current?.focus() }), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the draft is taken up once
  useEffect(() => {
    if (!area.current) return;
    area.current.value = load(storage, KEYS.draft) ?? '';
    changed();
    if (matchMedia('(hover: hover)').matches) area.current.focus();
  }, []);
  return { area, composer, empty, changed, submit, press, onKeyDown };
}

/** As high as its text; the style sheet sets the most. */
function fitHeight(area: HTMLTextAreaElement): void {
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
}
