// The page as a person meets it: in a browser, from the real program with a real model.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  accessibilityProblems,
  ask,
  box,
  closePage,
  composeHello,
  DESKTOP,
  lastAnswer,
  launch,
  openPage,
  PHONE,
  pressEnter,
  questions,
  waitForEnd,
  watchAnswer,
} from './browser.mjs';
import { RealServer } from './real_server.mjs';

const SCREENSHOTS = path.resolve(import.meta.dirname, '../../build/screenshots');
const ANSWER_MS = 120_000;

const server = new RealServer();
let browser;
let opened = [];

async function open(options) {
  const one = await openPage(browser, server.origin, options);
  opened.push(one);
  return one.page;
}

/** Short answers that come out the same each time, so that the test's length does not vary. */
async function openWithSettings(settings, options) {
  const page = await open(options);
  await page.evaluate(
    (text) => localStorage.setItem('jarip.settings', text),
    JSON.stringify(settings),
  );
  await page.reload();
  return page;
}

const answerText = (page) => lastAnswer(page).locator('.answer-text').innerText();

before(async () => {
  await server.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server.stop();
  assert.equal(server.status, 0, `the server's end:\n${server.log}`);
});

afterEach(async () => {
  const breaches = (await Promise.all(opened.map(closePage))).flat();
  opened = [];
  assert.deepEqual(breaches, []);
});

describe('the page from jarip serve', () => {
  it('names the model once it is ready', async () => {
    const page = await open();
    await page.locator('.model[data-state="ready"]').waitFor({ timeout: ANSWER_MS });
    const models = await (await fetch(`${server.origin}/v1/models`)).json();
    assert.equal(await page.locator('.model-words').innerText(), models.data[0].id);
  });

  it('answers a question in pieces', async () => {
    const page = await openWithSettings({ temperature: 0, maxTokens: 48 });
    const texts = await watchAnswer(page);
    await ask(page, 'Explain how a rainbow forms, in three sentences.');
    await waitForEnd(page, ANSWER_MS);
    const seen = await texts();
    assert.ok(seen.length > 1, `it came at once: ${JSON.stringify(seen)}`);
    assert.match(seen.at(-1), /light/);
    assert.match(await page.locator('.facts').innerText(), /\d+ tokens/);
  });

  it('stops an answer in the middle, and the server stops with it', async () => {
    const page = await openWithSettings({ temperature: 0, maxTokens: 4000 });
    await ask(page, 'Write a long story about a lighthouse.');
    await lastAnswer(page).locator('.answer-text').waitFor({ timeout: ANSWER_MS });
    await page.getByRole('button', { name: 'Stop the answer' }).click();
    await waitForEnd(page, ANSWER_MS);
    assert.notEqual(await answerText(page), '');
    assert.equal(await page.locator('.facts').innerText(), 'Stopped');
    let running = -1;
    for (let n = 0; n < 100 && running !== 0; n++) {
      running = await server.metric('jarip_num_requests_running');
      if (running !== 0) await page.waitForTimeout(50);
    }
    assert.equal(running, 0);
  });

  it('gives the same answer again for the same seed', async () => {
    const page = await openWithSettings({ temperature: 0.9, maxTokens: 40, seed: 11 });
    await ask(page, 'Name an animal and say why you like it.');
    await waitForEnd(page, ANSWER_MS);
    const first = await answerText(page);
    await page.getByRole('button', { name: 'Answer again' }).click();
    await page.getByText('2 of 2').waitFor({ timeout: ANSWER_MS });
    assert.equal(await answerText(page), first);
  });

  it('takes Korean as it was typed, once', async () => {
    const page = await openWithSettings({ temperature: 0, maxTokens: 16 }, { locale: 'ko-KR' });
    await box(page).focus();
    const input = await composeHello(page);
    await pressEnter(input, { composing: true });
    assert.deepEqual(await questions(page), [], 'sent while the last syllable was open');
    await input.send('Input.insertText', { text: '요' });
    await pressEnter(input);
    await pressEnter(input);
    await waitForEnd(page, ANSWER_MS);
    assert.deepEqual(await questions(page), ['안녕하세요']);
    assert.equal(await box(page).inputValue(), '');
  });

  it('says that a conversation is too long, and cuts nothing', async () => {
    const page = await openWithSettings({ temperature: 0, maxTokens: 8 });
    await ask(page, 'many words '.repeat(9000));
    await page.getByText('longer than the model can read').waitFor({ timeout: ANSWER_MS });
  });

  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    for (const colorScheme of ['light', 'dark']) {
      it(`is accessible: ${size}, ${colorScheme}`, async () => {
        const options = { viewport, colorScheme, deviceScaleFactor: 2 };
        const page = await openWithSettings({ temperature: 0, maxTokens: 64 }, options);
        await ask(page, 'Name three colours, as a list.');
        await waitForEnd(page, ANSWER_MS);
        mkdirSync(SCREENSHOTS, { recursive: true });
        await page.screenshot({ path: path.join(SCREENSHOTS, `${size}-${colorScheme}.png`) });
        assert.deepEqual(await accessibilityProblems(page), []);
      });
    }
  }
});
