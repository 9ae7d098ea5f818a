// A model's answer as safe DOM. The answer is untrusted: its HTML is shown as text, nothing in it
// loads, and what Markdown makes of it passes a sanitizer last.
import DOMPurify from 'dompurify';
import { Marked, type Token } from 'marked';

export interface Block {
  /** The block's source: the same source gives the same DOM. */
  raw: string;
  token: Token;
}

export interface BlockWords {
  copy: string;
  copied: string;
  copyFailed: string;
  codeRegion: string;
  tableRegion: string;
  image: (alt: string) => string;
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (c) => ESCAPES[c] ?? c);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text, block }) => (block ? `<p>${escapeHtml(text)}</p>` : escapeHtml(text)),
    image: ({ href, text }) =>
      `<a href="${escapeHtml(href)}" class="image">${escapeHtml(text)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    // The page's own headings end at the third level.
    heading({ tokens, depth }) {
      const level = Math.min(Math.max(depth, 2) + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
  },
});

const purifier = DOMPurify(window);
const SANITIZE = {
  RETURN_DOM_FRAGMENT: true as const,
  ALLOWED_TAGS:
    'p br hr h4 h5 h6 ul ol li blockquote pre code strong em del a table thead tbody tr th td'.split(
      ' ',
    ),
  ALLOWED_ATTR: ['href', 'title', 'class', 'start', 'align'],
  ADD_URI_SAFE_ATTR: ['align', 'start'],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

/** Blocks that no longer change keep their source, so a growing answer redraws its last block only. */
export function splitBlocks(text: string): Block[] {
  try {
    const tokens = marked.lexer(text).filter((token) => token.type !== 'space');
    return tokens.map((token) => ({ raw: token.raw, token }));
  } catch {
    // Nested beyond what the parser's recursion holds: plain text is still readable.
    return [{ raw: text, token: { type: 'html', raw: text, text, block: true } as Token }];
  }
}

export function renderBlock(block: Block, words: BlockWords): DocumentFragment {
  const fragment = purifier.sanitize(toHtml(block), SANITIZE);
  for (const link of fragment.querySelectorAll('a')) finishLink(link, words);
  for (const pre of fragment.querySelectorAll('pre')) pre.replaceWith(codeFigure(pre, words));
  for (const table of fragment.querySelectorAll('table')) {
    const region = scrollRegion('div', words.tableRegion);
    region.className = 'table';
    table.replaceWith(region);
    region.append(table);
  }
  return fragment;
}

function toHtml(block: Block): string {
  try {
    return marked.parser([block.token]);
  } catch {
    return `<p>${escapeHtml(block.raw)}</p>`;
  }
}

function finishLink(link: HTMLAnchorElement, words: BlockWords): void {
  const text = link.textContent ?? '';
  if (link.className === 'image') link.textContent = words.image(text || link.href);
  if (!link.hasAttribute('href')) return;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
}

/** Focusable, so that the keyboard can scroll it too. */
function scrollRegion<K extends 'div' | 'pre'>(tag: K, label: string): HTMLElementTagNameMap[K] {
  const region = document.createElement(tag);
  region.tabIndex = 0;
  region.setAttribute('role', 'group');
  region.setAttribute('aria-label', label);
  return region;
}

function codeFigure(pre: HTMLPreElement, words: BlockWords): HTMLElement {
  const code = pre.querySelector('code');
  const language = /^language-([\w+#.-]{1,30})$/.exec(code?.className ?? '')?.[1] ?? '';
  const text = code?.textContent ?? pre.textContent ?? '';
  const figure = document.createElement('figure');
  figure.className = 'code';
  const head = document.createElement('figcaption');
  const name = document.createElement('span');
  name.textContent = language;
  head.append(name, copyButton(text, words));
  const region = scrollRegion('pre', words.codeRegion);
  const body = document.createElement('code');
  body.textContent = text.replace(/\n$/, '');
  region.append(body);
  figure.append(head, region);
  return figure;
}

const SAID_MS = 1_600;

function copyButton(text: string, words: BlockWords): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  button.textContent = words.copy;
  button.addEventListener('click', async () => {
    button.textContent = (await copyText(text)) ? words.copied : words.copyFailed;
    setTimeout(() => {
      button.textContent = words.copy;
    }, SAID_MS);
  });
  return button;
}

/** The clipboard interface exists on safe origins only; a server in the local network has none. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'hidden';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}
