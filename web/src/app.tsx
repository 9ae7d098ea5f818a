// The page: header, conversation, question box, and the panel of settings.
import { type RefObject, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import type { Chat } from './chat';
import { shownAnswer, type Turn } from './conversation';
import { chooseLanguage, SpeechContext, speechIn } from './language';
import type { ModelWatch } from './model_watch';
import { Header } from './parts/header';
import { KeyPrompt } from './parts/key_prompt';
import { QuestionBox, type QuestionBoxHandle } from './parts/question_box';
import { SettingsPanel } from './parts/settings_panel';
import { TurnView } from './parts/turn';
import { Welcome } from './parts/welcome';
import { readSettings, type Settings } from './settings';
import { KEYS, load, save } from './storage';
import type { Language, Strings } from './strings';
import { usePinnedScroll } from './use_pinned_scroll';

interface AppProps {
  chat: Chat;
  watch: ModelWatch;
  storage: Storage | undefined;
}

export function App({ chat, watch, storage }: AppProps) {
  const { conversation, busy, kept, hasPrevious } = useSyncExternalStore(
    chat.subscribe,
    chat.snapshot,
  );
  const model = useSyncExternalStore(watch.subscribe, watch.snapshot);
  const [language, setLanguage] = useLanguage(storage);
  const [settings, setSettings] = useSettings(storage);
  const [settingsOpen, setSettingsOpen] = useState(false);
  const speech = useMemo(() => speechIn(language), [language]);
  const box = useRef<QuestionBoxHandle>(null);
  const scroll = usePinnedScroll();
  const announcement = useAnnouncement(conversation.turns.at(-1), busy, speech.strings);
  const { strings } = speech;

  const ask = (question: string): boolean => {
    const asked = chat.ask(question);
    if (asked) scroll.toLatest();
    return asked;
  };
  // The button that was pressed is gone once the answer begins: the question box takes the focus.
  const fromButton = (act: () => void) => () => {
    act();
    box.current?.focus();
  };
  const tryKey = async () => {
    await watch.look();
    if (watch.snapshot().state === 'ready') box.current?.focus();
  };
  const empty = conversation.turns.length === 0;

  return (
    <SpeechContext.Provider value={speech}>
      <a className="skip" href="#question">
        {strings.skipToInput}
      </a>
      <Header
        model={model}
        canStartNew={!empty && busy === undefined}
        onStartNew={fromButton(() => chat.startNew())}
        onSettings={() => setSettingsOpen(true)}
        onLanguage={() => setLanguage(language === 'en' ? 'ko' : 'en')}
      />
      <main aria-label={strings.conversation}>
        {model.state === 'locked' && <KeyPrompt wrong={model.wrong} onKey={tryKey} />}
        {empty && model.state !== 'locked' && (
          <Welcome
            onExample={(question) => fromButton(() => ask(question))()}
            onPrevious={hasPrevious ? fromButton(() => chat.goBack()) : undefined}
          />
        )}
        <Turns chat={chat} turns={conversation.turns} busy={busy !== undefined} box={box} />
      </main>
      <p className="visually-hidden" aria-live="polite">
        {announcement}
      </p>
      <QuestionBox
        handle={box}
        storage={storage}
        busy={busy !== undefined}
        kept={kept}
        onAsk={ask}
        onStop={() => chat.stop()}
        onLatest={scroll.pinned ? undefined : fromButton(scroll.toLatest)}
      />
      <SettingsPanel
        open={settingsOpen}
        settings={settings}
        onChange={setSettings}
        onClose={() => setSettingsOpen(false)}
      />
    </SpeechContext.Provider>
  );
}

interface TurnsProps {
  chat: Chat;
  turns: Turn[];
  busy: boolean;
  box: RefObject<QuestionBoxHandle | null>;
}

function Turns({ chat, turns, busy, box }: TurnsProps) {
  return turns.map((turn, i) => (
    <TurnView
      key={turn.id}
      turn={turn}
      chat={chat}
      focusBox={box}
      canAskAgain={i === turns.length - 1 && !busy}
    />
  ));
}

function useLanguage(storage: Storage | undefined): [Language, (language: Language) => void] {
  const [language, setLanguage] = useState(() =>
    chooseLanguage(load(storage, KEYS.language), navigator.languages),
  );
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = speechIn(language).strings.pageTitle;
  }, [language]);
  const choose = (next: Language) => {
    setLanguage(next);
    save(storage, KEYS.language, next);
  };
  return [language, choose];
}

function useSettings(storage: Storage | undefined): [Settings, (settings: Settings) => void] {
  const [settings, setSettings] = useState(() => readSettings(load(storage, KEYS.settings)));
  const change = (next: Settings) => {
    setSettings(next);
    save(storage, KEYS.settings, JSON.stringify(next));
  };
  return [settings, change];
}

/** Said once, when an answer ends: a screen reader that read each piece could not be followed. */
function useAnnouncement(last: Turn | undefined, busy: string | undefined, strings: Strings) {
  const [said, setSaid] = useState('');
  const wasBusy = useRef(false);
  useEffect(() => {
    const ended = wasBusy.current && busy === undefined;
    wasBusy.current = busy !== undefined;
    if (busy !== undefined) setSaid('');
    else if (ended && last) setSaid(wordsAtEnd(last, strings));
  }, [busy, last, strings]);
  return said;
}

function wordsAtEnd(turn: Turn, strings: Strings): string {
  const { state } = shownAnswer(turn);
  if (state === 'failed') return strings.announceFailed;
  return state === 'stopped' ? strings.announceStopped : strings.finished;
}
