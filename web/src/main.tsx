// The page's one start: what lives as long as the page is made here and handed down.
import { createRoot } from 'react-dom/client';
import { recallKey } from './access_key';
import { App } from './app';
import { Chat } from './chat';
import { ModelWatch } from './model_watch';
import { readSettings } from './settings';
import { browserStorage, KEYS, load } from './storage';
import './styles/page.css';
import './styles/conversation.css';
import './styles/answer.css';
import './styles/settings.css';

const HIDDEN_MS = 250;

/** A hidden page gets no frames: there a timer stands in, so that nothing piles up. */
function soon(callback: () => void): void {
  if (document.hidden) setTimeout(callback, HIDDEN_MS);
  else requestAnimationFrame(callback);
}

function start(root: HTMLElement): void {
  recallKey();
  const storage = browserStorage();
  const watch = new ModelWatch();
  const settings = () => readSettings(load(storage, KEYS.settings));
  const chat = new Chat({ watch, storage, settings, soon });
  void watch.look();
  window.addEventListener('online', () => void watch.look());
  window.addEventListener('pagehide', chat.close);
  window.addEventListener('storage', (event) => {
    if (event.key === KEYS.conversation) chat.follow(event.newValue);
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) chat.close();
    else void watch.look();
  });
  createRoot(root).render(<App chat={chat} watch={watch} storage={storage} />);
}

const root = document.getElementById('page');
if (root) start(root);
