// A headless Chromium for the tests, and pages in it that report what they must never do.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

export function launch() {
  return chromium.launch({
    executablePath: process.env.JARIP_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export const DESKTOP = { width: 1200, height: 820 };
export const PHONE = { width: 390, height: 780 };

/** A page in a fresh profile; `breaches` fills with policy violations, errors and foreign requests. */
export async function openPage(browser, origin, options = {}) {
  const context = await browser.newContext({
    locale: 'en-US',
    viewport: DESKTOP,
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  const breaches = [];
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin)
      breaches.push(`left the origin: ${request.url()}`);
  });
  page.on('pageerror', (error) => breaches.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) breaches.push(message.text());
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener('securitypolicyviolation', (event) =>
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(origin);
  return { page, context, breaches };
}

/** Everything the page did that it must not; closes it. */
export async function closePage({ page, context, breaches }) {
  const violations = await page.evaluate(() => globalThis.violations);
  await context.close();
  return [...breaches, ...violations];
}

/** What axe finds wrong, one line each. Runs outside of the page's policy, as an extension would. */
export async function accessibilityProblems(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' | ')}`,
  );
}

/** The texts that the last answer had, one after the other, until it ended. */
export async function watchAnswer(page) {
  await page.evaluate(() => {
    globalThis.answerTexts = [];
    const read = () => {
      const text = [...document.querySelectorAll('.answer')].at(-1)?.querySelector('.answer-text');
      const now = text?.textContent ?? '';
      if (now !== globalThis.answerTexts.at(-1)) globalThis.answerTexts.push(now);
    };
    new MutationObserver(read).observe(document.body, { childList: true, subtree: true });
  });
  return () => page.evaluate(() => globalThis.answerTexts.filter((text) => text !== ''));
}

export const box = (page) => page.locator('#question');
export const questions = (page) => page.locator('.question').allTextContents();
export const lastAnswer = (page) => page.locator('.answer').last();

export async function ask(page, question) {
  await box(page).fill(question);
  await box(page).press('Enter');
}

export async function waitForEnd(page, timeout = 15_000) {
  await page.locator('.answer[aria-busy="false"]').last().waitFor({ timeout });
  await page.locator('.send[data-busy="false"]').waitFor({ timeout });
}

const HELLO = [
  ['ㅇ', '아', '안'],
  ['ㄴ', '녀', '녕'],
  ['ㅎ', '하'],
  ['ㅅ', '세'],
  ['ㅇ', '요'],
];

/** Types 안녕하세요 as an input method does, each syllable growing in place; the last stays open. */
export async function composeHello(page) {
  const input = await page.context().newCDPSession(page);
  for (const steps of HELLO) {
    for (const text of steps) {
      const end = text.length;
      await input.send('Input.imeSetComposition', { text, selectionStart: end, selectionEnd: end });
    }
    if (steps !== HELLO.at(-1)) await input.send('Input.insertText', { text: steps.at(-1) });
  }
  return input;
}

/** While a syllable is open the input method takes the key first, and some browsers report both. */
export async function pressEnter(input, { composing = false } = {}) {
  const enter = { type: 'rawKeyDown', code: 'Enter' };
  const taken = { ...enter, key: 'Process', windowsVirtualKeyCode: 229 };
  if (composing) await input.send('Input.dispatchKeyEvent', taken);
  await input.send('Input.dispatchKeyEvent', { ...enter, key: 'Enter', windowsVirtualKeyCode: 13 });
}
