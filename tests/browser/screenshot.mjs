// Takes the README's picture of a real conversation: npm run screenshot
import path from 'node:path';
import { ask, launch, openPage, waitForEnd } from './browser.mjs';
import { RealServer } from './real_server.mjs';

const FILE = path.resolve(import.meta.dirname, '../../docs/screenshot.png');
const ANSWER_MS = 300_000;

const questions = [
  'Explain how a rainbow forms, in three sentences.',
  'Write a Python function that checks if a number is even.',
];
const settings = { temperature: 0, maxTokens: 300, seed: 1 };

const server = new RealServer();
await server.start();
const browser = await launch();
try {
  const { page } = await openPage(browser, server.origin, {
    viewport: { width: 1040, height: 760 },
    deviceScaleFactor: 1.5,
  });
  await page.evaluate(
    (text) => localStorage.setItem('jarip.settings', text),
    JSON.stringify(settings),
  );
  await page.reload();
  await page.locator('.model[data-state="ready"]').waitFor({ timeout: ANSWER_MS });
  for (const question of questions) {
    await ask(page, question);
    await waitForEnd(page, ANSWER_MS);
  }
  await page.screenshot({ path: FILE });
} finally {
  await browser.close();
  await server.stop();
}
