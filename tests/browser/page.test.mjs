// The page against scripted answers: fast, and exact about every piece.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  accessibilityProblems,
  ask,
  box,
  closePage,
  composeHello,
  lastAnswer,
  launch,
  openPage,
  PHONE,
  pressEnter,
  questions,
  waitForEnd,
  watchAnswer,
} from './browser.mjs';
import { FakeServer } from './fake_server.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');
const dist = mkdtempSync(path.join(tmpdir(), 'jarip-page-'));

const hello = { pieces: ['Hello', ', ', 'this ', 'is ', 'an ', 'answer.'], pauseMs: 25 };
const endless = { pieces: Array.from({ length: 2000 }, (_, i) => `word${i} `), pauseMs: 10 };
const long = { pieces: Array.from({ length: 120 }, (_, i) => `Line ${i}\n\n`), pauseMs: 10 };

let browser;
let server;
let opened = [];

async function open(options) {
  const one = await openPage(browser, server.origin, options);
  opened.push(one);
  return one.page;
}

before(async () => {
  execFileSync(
    'node_modules/.bin/vite',
    ['build', '--outDir', dist, '--emptyOutDir', '--logLevel', 'warn'],
    {
      cwd: path.join(ROOT, 'web'),
      stdio: 'inherit',
    },
  );
  browser = await launch();
});

after(async () => {
  await browser?.close();
  rmSync(dist, { recursive: true });
});

beforeEach(async () => {
  server = new FakeServer(dist);
  server.scripts = [hello];
  await server.start();
});

// Whatever a test did, the page must have kept to its policy and its origin.
afterEach(async () => {
  const breaches = (await Promise.all(opened.map(closePage))).flat();
  opened = [];
  await server.stop();
  assert.deepEqual(breaches, []);
});

describe('an answer', () => {
  it('arrives in pieces and ends with its details', async () => {
    const page = await open();
    const texts = await watchAnswer(page);
    await ask(page, 'Hi there');
    await waitForEnd(page);
    const seen = await texts();
    assert.ok(seen.length > 2, `seen: ${JSON.stringify(seen)}`);
    assert.equal(seen.at(-1).trim(), 'Hello, this is an answer.');
    assert.match(await page.locator('.facts').innerText(), /^6 tokens.*tokens\/s.*seed \d+$/s);
    assert.equal(server.requests[0].messages.at(-1).content, 'Hi there');
  });

  it('stops where it is, keeps its text, and tells the server', async () => {
    server.scripts = [endless];
    const page = await open();
    await ask(page, 'Tell me everything');
    await page.getByText('word10', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Stop the answer' }).click();
    await waitForEnd(page);
    assert.match(await lastAnswer(page).innerText(), /word10[\s\S]*Stopped/);
    for (let n = 0; n < 50 && server.abandoned === 0; n++) await page.waitForTimeout(20);
    assert.equal(server.abandoned, 1);
    server.scripts = [hello];
    await ask(page, 'And now?');
    await waitForEnd(page);
    assert.match(server.requests.at(-1).messages[1].content, /^word0 word1 /);
  });

  it('shows its reasoning until it begins, then folds it away', async () => {
    let goOn;
    const until = new Promise((resolve) => (goOn = resolve));
    server.scripts = [{ thoughts: ['Let me', ' think.'], until, pieces: ['Done', '.'] }];
    const page = await open();
    await ask(page, 'Why?');
    const reasoning = page.locator('details.reasoning');
    const isOpen = () => reasoning.evaluate((element) => element.open);
    await page.getByText('Let me think.').waitFor();
    assert.equal(await isOpen(), true);
    assert.match(await page.locator('.progress').innerText(), /Thinking/);
    goOn();
    await waitForEnd(page);
    assert.equal(await isOpen(), false);
    assert.equal(await page.getByText('Let me think.').isVisible(), false);
    await reasoning.locator('summary').focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.getByText('Let me think.').isVisible(), true);
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.keyboard.press('Space');
    assert.equal(await isOpen(), false);
  });

  it('keeps its reasoning open for a reader who opened it', async () => {
    server.scripts = [{ thoughts: ['Hm.'], pieces: ['One', ' two', ' three.'], pauseMs: 300 }];
    const page = await open();
    await ask(page, 'Count');
    await page.getByText('One').waitFor();
    await page.locator('details.reasoning summary').click();
    await waitForEnd(page);
    assert.equal(await page.getByText('Hm.').isVisible(), true);
    await page.reload();
    assert.equal(await page.locator('details.reasoning summary').innerText(), 'Reasoning');
    assert.equal(await page.getByText('Hm.').isVisible(), false);
  });

  it('can be given again, and the earlier one is still there', async () => {
    server.scripts = [hello, { pieces: ['Another.'] }];
    const page = await open();
    await ask(page, 'Hi');
    await waitForEnd(page);
    await page.getByRole('button', { name: 'Answer again' }).click();
    assert.equal(await box(page).evaluate((area) => area === document.activeElement), true);
    await page.getByText('Another.').waitFor();
    await waitForEnd(page);
    assert.deepEqual(server.requests[1].messages, server.requests[0].messages);
    await page.getByRole('button', { name: 'Earlier answer' }).click();
    await page.getByText('Hello, this is an answer.').waitFor();
    const focused = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    assert.equal(focused, 'Earlier answer');
  });

  it('that breaks off keeps its text and can be tried again', async () => {
    server.scripts = [{ pieces: ['Half '], breakOff: true }, hello];
    const page = await open();
    await ask(page, 'Hi');
    await page.getByText('The connection broke off').waitFor();
    assert.match(await lastAnswer(page).innerText(), /Half/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Hello, this is an answer.').waitFor();
  });

  it('that ends with an error shows the server’s words', async () => {
    server.scripts = [{ pieces: ['Half '], error: { message: 'the pages ran out' } }];
    const page = await open();
    await ask(page, 'Hi');
    await page.getByText('The server says: the pages ran out').waitFor();
  });

  it('that is refused for its length says what to do', async () => {
    const error = { message: '9000 of 8192', code: 'context_length_exceeded' };
    server.scripts = [{ status: 400, error }];
    const page = await open();
    await ask(page, 'Hi');
    await page.getByText('longer than the model can read').waitFor();
  });

  it('waits for a model that still loads, and begins by itself', async () => {
    server.health = { status: 503, body: { status: 'loading', progress: 0.4 } };
    const page = await open();
    await page.getByText('Loading the model…').waitFor();
    await page.getByText('40%').waitFor();
    await ask(page, 'Are you there?');
    await page.getByText('Starts by itself').waitFor();
    server.health = { status: 200, body: { status: 'ok' } };
    await page.getByText('Hello, this is an answer.').waitFor();
    await page.getByText('fake-model').waitFor();
  });

  it('asks for a key where one is needed, keeps it for the tab, and asks anew when it ends', async () => {
    server.key = 'jarip_good';
    const page = await open();
    const field = page.getByLabel('Key', { exact: true });
    await page.getByRole('heading', { name: 'This server asks for a key' }).waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
    await field.fill('jarip_bad');
    await field.press('Enter');
    await page.getByText('The server does not take this key.').waitFor();
    await field.fill('jarip_good');
    await page.getByRole('button', { name: 'Use this key' }).click();
    await page.getByText('fake-model').waitFor();
    assert.equal(await field.count(), 0);
    await page.reload();
    await page.getByText('fake-model').waitFor();
    server.key = 'jarip_other';
    await ask(page, 'Are you there?');
    await page.getByText('The server refused the request.').waitFor();
    await page.getByText('This server asks for a key').waitFor();
    server.key = '';
  });
});

describe('what an answer contains', () => {
  const hostile = [
    '<script>globalThis.ran = 1</script>\n\n<img src=x onerror="globalThis.ran = 1">\n\n',
    '<iframe src="https://example.invalid/"></iframe>\n\n<style>body{display:none}</style>\n\n',
    'inline <b onclick="globalThis.ran = 1">bold</b> and <svg onload="globalThis.ran=1"></svg>\n\n',
    '![a cat](https://example.invalid/cat.png)\n\n[bad](javascript:globalThis.ran=1) ',
    '[also](data:text/html,x) [own](/v1/models) [good](https://example.invalid/page)\n\n',
    '`<i>` & "quotes"\n\n- [x] done\n',
  ];

  it('runs nothing, loads nothing, and shows HTML as text', async () => {
    server.scripts = [{ pieces: hostile }];
    const page = await open();
    await ask(page, 'Attack');
    await waitForEnd(page);
    const found = await lastAnswer(page).evaluate((answer) => ({
      tags: [...answer.querySelectorAll('script, img, iframe, style, b, svg:not(.icon), input')]
        .length,
      handlers: [...answer.querySelectorAll('*')]
        .flatMap((e) => e.getAttributeNames())
        .filter((n) => n.startsWith('on')),
      links: [...answer.querySelectorAll('a[href]')].map((a) => [
        a.textContent,
        a.href,
        a.rel,
        a.target,
      ]),
    }));
    const safe = ['noopener noreferrer', '_blank'];
    assert.deepEqual(found, {
      tags: 0,
      handlers: [],
      links: [
        ['image: a cat', 'https://example.invalid/cat.png', ...safe],
        ['good', 'https://example.invalid/page', ...safe],
      ],
    });
    const text = await lastAnswer(page).innerText();
    for (const part of ['<script>', '<img src=x', '<b onclick=', 'javascript:'].slice(0, 3)) {
      assert.ok(text.includes(part), `${part} is not shown in: ${text}`);
    }
    assert.equal(await page.evaluate(() => globalThis.ran), undefined);
  });

  it('may be nested beyond reason', async () => {
    server.scripts = [{ pieces: ['>'.repeat(20_000), ' deep\n\n', '['.repeat(5_000), '\n\nend'] }];
    const page = await open();
    await ask(page, 'Deep');
    await waitForEnd(page, 60_000);
    assert.match(await lastAnswer(page).innerText(), /end/);
  });

  it('is Markdown, and its code can be copied', async () => {
    const markdown =
      '## Title\n\n7. seven\n8. eight\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```python\nprint("hi")\n```\n';
    server.scripts = [{ pieces: markdown.split(/(?<=\n)/) }];
    const page = await open();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await ask(page, 'Format');
    await waitForEnd(page);
    assert.equal(await page.locator('.answer-text h4').innerText(), 'Title');
    assert.equal(await page.locator('.answer-text ol').getAttribute('start'), '7');
    const cell = page.locator('.answer-text td').nth(1);
    assert.equal(await cell.evaluate((td) => getComputedStyle(td).textAlign), 'end');
    await page.locator('.code button').click();
    await page.getByText('Copied').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'print("hi")\n');
    assert.deepEqual(await accessibilityProblems(page), []);
  });
});

describe('Korean', () => {
  it('is sent once, whole, and leaves no syllable behind', async () => {
    const page = await open({ locale: 'ko-KR' });
    await box(page).focus();
    const input = await composeHello(page);
    assert.equal(await box(page).inputValue(), '안녕하세요');
    await pressEnter(input, { composing: true });
    assert.deepEqual(await questions(page), [], 'sent while the last syllable was open');
    await input.send('Input.insertText', { text: '요' });
    await pressEnter(input);
    await pressEnter(input);
    await waitForEnd(page);
    assert.deepEqual(await questions(page), ['안녕하세요']);
    assert.equal(server.requests.length, 1);
    assert.equal(await box(page).inputValue(), '');
  });

  it('is sent whole by the button while a syllable is open', async () => {
    const page = await open({ locale: 'ko-KR' });
    await box(page).focus();
    await composeHello(page);
    await page.getByRole('button', { name: '보내기' }).click();
    await waitForEnd(page);
    assert.deepEqual(await questions(page), ['안녕하세요']);
    assert.equal(await box(page).inputValue(), '');
  });

  it('is sent whole by a press that leaves the focus where it is', async () => {
    const page = await open({ locale: 'ko-KR' });
    await box(page).focus();
    await composeHello(page);
    await page.locator('.send').evaluate((button) => button.click());
    await waitForEnd(page);
    assert.deepEqual(await questions(page), ['안녕하세요']);
    assert.equal(await box(page).inputValue(), '');
  });

  it('is the page’s language where the browser’s is, until the reader chooses', async () => {
    const page = await open({ locale: 'ko-KR' });
    await page.getByText('무엇이 궁금하세요?').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ko');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('What would you like to know?').waitFor();
    await page.reload();
    await page.getByText('What would you like to know?').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
  });
});

describe('the page', () => {
  it('begins a new line on Shift+Enter', async () => {
    const page = await open();
    await box(page).pressSequentially('one');
    await box(page).press('Shift+Enter');
    await box(page).pressSequentially('two');
    await box(page).press('Enter');
    await waitForEnd(page);
    assert.deepEqual(await questions(page), ['one\ntwo']);
  });

  it('keeps the draft, the conversation and the settings', async () => {
    const page = await open();
    await ask(page, 'Keep this');
    await waitForEnd(page);
    await box(page).fill('a draft');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByLabel('Seed').fill('42');
    await page.getByLabel('Instructions').fill('Be brief.');
    await page.keyboard.press('Escape');
    await page.reload();
    assert.deepEqual(await questions(page), ['Keep this']);
    assert.match(await lastAnswer(page).innerText(), /Hello, this is an answer\./);
    assert.equal(await box(page).inputValue(), 'a draft');
    await box(page).press('Enter');
    await waitForEnd(page);
    assert.equal(server.requests[1].seed, 42);
    assert.deepEqual(server.requests[1].messages[0], { role: 'system', content: 'Be brief.' });
  });

  it('keeps what was there of an answer when it is closed in the middle', async () => {
    server.scripts = [endless];
    const page = await open();
    await ask(page, 'Go on');
    await page.getByText('word20', { exact: false }).waitFor();
    await page.reload();
    await waitForEnd(page);
    assert.match(await lastAnswer(page).innerText(), /word20[\s\S]*Stopped/);
  });

  it('brings the last conversation back after a new one was begun', async () => {
    const page = await open();
    await ask(page, 'Old');
    await waitForEnd(page);
    await page.getByRole('button', { name: 'New conversation' }).click();
    assert.deepEqual(await questions(page), []);
    await page.getByRole('button', { name: 'Back to the previous conversation' }).click();
    assert.deepEqual(await questions(page), ['Old']);
  });

  it('takes no wrong number and says which are right', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByLabel('Longest answer').fill('0');
    await page.getByText('A whole number from 1 to').waitFor();
    await page.keyboard.press('Escape');
    await ask(page, 'Hi');
    await waitForEnd(page);
    assert.equal(server.requests[0].max_tokens, 1024);
  });

  it('keeps the end in view when the question grows', async () => {
    server.scripts = [{ ...long, pauseMs: 0 }];
    const page = await open();
    await ask(page, 'A long one');
    await waitForEnd(page);
    await box(page).fill('one\ntwo\nthree\nfour\nfive');
    await page.waitForTimeout(100);
    const gap = await page.evaluate(() => {
      const below = [...document.querySelectorAll('.below')].at(-1).getBoundingClientRect();
      return document.querySelector('.dock').getBoundingClientRect().top - below.bottom;
    });
    assert.ok(gap >= 0, `the box covers ${-gap} pixels of the answer`);
  });

  it('shows in every window what one of them was told', async () => {
    const page = await open();
    const other = await page.context().newPage();
    await other.goto(server.origin);
    await ask(page, 'Hi');
    await waitForEnd(page);
    await other.getByText('Hello, this is an answer.').waitFor();
    await ask(other, 'And here?');
    await waitForEnd(other);
    await page.getByText('And here?').waitFor();
  });

  it('follows the answer’s end, but never against the reader', async () => {
    server.scripts = [long];
    const page = await open();
    const fromEnd = () =>
      page.evaluate(() => {
        const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
        return Math.round(scrollHeight - clientHeight - scrollTop);
      });
    await ask(page, 'A long one');
    await page.getByText('Line 60').waitFor();
    assert.ok((await fromEnd()) < 4, 'did not follow');
    await page.mouse.move(600, 300);
    await page.mouse.wheel(0, -600);
    await page.waitForFunction(() => document.querySelector('.to-latest') !== null);
    const top = await page.evaluate(() => document.documentElement.scrollTop);
    await page.getByText('Line 100').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollTop), top);
    await waitForEnd(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollTop), top);
    await page.getByRole('button', { name: 'To the latest' }).click();
    assert.ok((await fromEnd()) < 4, 'did not return');
  });

  it('says the end of an answer once to a screen reader', async () => {
    const page = await open();
    const live = page.locator('p[aria-live="polite"]');
    await ask(page, 'Hi');
    assert.equal(await live.textContent(), '');
    await waitForEnd(page);
    await page.waitForFunction(() =>
      document.querySelector('p[aria-live="polite"]').textContent.includes('complete'),
    );
  });

  it('keeps the focus in the settings and gives it back', async () => {
    const page = await open();
    const button = page.getByRole('button', { name: 'Settings' });
    await button.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.keyboard.press('Escape');
    assert.equal(await button.evaluate((element) => element === document.activeElement), true);
  });

  it('is small to load', async () => {
    const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((f) =>
      f.isFile(),
    );
    const sizes = files.map((f) => gzipSync(readFileSync(path.join(f.parentPath, f.name))).length);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(total > 10_000 && total < 60_000, `${total} bytes compressed`);
  });

  for (const [name, viewport] of [
    ['desktop', undefined],
    ['phone', PHONE],
    ['narrowest', { width: 320, height: 560 }],
  ]) {
    for (const colorScheme of ['light', 'dark']) {
      it(`is accessible and nowhere too wide: ${name}, ${colorScheme}`, async () => {
        server.scripts = [
          {
            pieces: [
              '# One\n\n',
              '`code` and a [link](https://example.invalid/)\n\n',
              '```\n',
              'x'.repeat(300),
              '\n```\n\n```\nanother\n```\n',
            ],
          },
        ];
        const page = await open({ colorScheme, ...(viewport && { viewport }) });
        await page.getByText('fake-model').waitFor();
        assert.deepEqual(await accessibilityProblems(page), []);
        await ask(page, 'Show');
        await waitForEnd(page);
        assert.deepEqual(await accessibilityProblems(page), []);
        const overflow = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.documentElement;
          return scrollWidth - clientWidth;
        });
        assert.ok(overflow <= 0, `${overflow} pixels too wide`);
      });
    }
  }
});
