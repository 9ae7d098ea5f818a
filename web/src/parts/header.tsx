// The name, the model with its state, and the page's three commands.
import { formatNumber, useSpeech } from '../language';
import type { ModelState } from '../model_watch';
import type { Strings } from '../strings';
import { IconButton } from './icon_button';
import { Mark, NewIcon, SettingsIcon } from './icons';

interface HeaderProps {
  model: ModelState;
  canStartNew: boolean;
  onStartNew: () => void;
  onSettings: () => void;
  onLanguage: () => void;
}

export function Header({ model, canStartNew, onStartNew, onSettings, onLanguage }: HeaderProps) {
  const { strings, language } = useSpeech();
  return (
    <header className="header">
      <div className="header-row">
        <h1 className="brand">
          <Mark />
          jarip
          <span className="brand-korean" lang="ko">
            자립
          </span>
        </h1>
        <p className="model" role="status" data-state={model.state}>
          <span className="dot" aria-hidden="true" />
          <span className="model-words" title={model.state === 'ready' ? model.model : undefined}>
            {describe(model, strings)}
          </span>
          {model.state === 'ready' && <span className="visually-hidden">{strings.modelReady}</span>}
          <Progress model={model} />
        </p>
        <button
          type="button"
          className="quiet"
          lang={language === 'en' ? 'ko' : 'en'}
          onClick={onLanguage}
        >
          {strings.otherLanguage}
        </button>
        <IconButton label={strings.settings} onClick={onSettings}>
          <SettingsIcon />
        </IconButton>
        <IconButton label={strings.newConversation} onClick={onStartNew} disabled={!canStartNew}>
          <NewIcon />
        </IconButton>
      </div>
    </header>
  );
}

/** For the eye only: a status that changes each second can't be listened to. */
function Progress({ model }: { model: ModelState }) {
  const { language } = useSpeech();
  if (model.state !== 'loading' || model.progress === undefined) return null;
  const percent = formatNumber(language, Math.floor(model.progress * 100));
  return <span aria-hidden="true">{percent}%</span>;
}

function describe(model: ModelState, strings: Strings): string {
  switch (model.state) {
    case 'looking':
      return strings.modelLooking;
    case 'unreachable':
      return strings.modelUnreachable;
    case 'locked':
      return strings.modelLocked;
    case 'loading':
      return strings.modelLoading;
    case 'ready':
      return model.model;
  }
}
