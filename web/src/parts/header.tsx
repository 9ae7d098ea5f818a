// The name, the model with its state, and the page's three commands.
import { fill, formatNumber, type Speech, useSpeech } from '../language';
import type { ModelState } from '../model_watch';
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
  const speech = useSpeech();
  const { strings, language } = speech;
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
          <span className="model-words">{describe(model, speech)}</span>
          {model.state === 'ready' && <span className="visually-hidden">{strings.modelReady}</span>}
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

function describe(model: ModelState, { strings, language }: Speech): string {
  switch (model.state) {
    case 'looking':
      return strings.modelLooking;
    case 'unreachable':
      return strings.modelUnreachable;
    case 'ready':
      return model.model;
    case 'loading':
      if (model.progress === undefined) return strings.modelLoading;
      return fill(strings.modelLoadingPercent, {
        percent: `${formatNumber(language, Math.floor(model.progress * 100))}%`,
      });
  }
}
