// The real program under test: jarip serve with the test model, on a port of its own.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BINARY = path.resolve(ROOT, process.env.JARIP_BIN ?? 'build/release/bin/jarip');
const START_MS = 60_000;
const STOP_MS = 15_000;

export class RealServer {
  log = '';

  async start() {
    const model = process.env.JARIP_TEST_MODEL;
    if (!model) throw new Error('JARIP_TEST_MODEL must name the test model (make test sets it)');
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there: build it first (make build)`);
    this.home = mkdtempSync(path.join(tmpdir(), 'jarip-home-'));
    this.process = spawn(BINARY, ['serve', model, '--port', '0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, JARIP_HOME: this.home },
    });
    this.ended = new Promise((resolve) => this.process.on('close', resolve));
    this.origin = await this.address();
  }

  /** From the line that says where it listens; the model may still be loading then. */
  address() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no address came:\n${this.log}`)), START_MS);
      this.process.stderr.setEncoding('utf8').on('data', (text) => {
        this.log += text;
        const origin = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(this.log)?.[1];
        if (!origin) return;
        clearTimeout(timer);
        resolve(origin);
      });
      this.ended.then((status) => {
        clearTimeout(timer);
        reject(new Error(`jarip serve ended with ${status}:\n${this.log}`));
      });
    });
  }

  async stop() {
    if (!this.process) return;
    const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_MS);
    this.process.kill('SIGTERM');
    this.status = await this.ended;
    clearTimeout(timer);
    rmSync(this.home, { recursive: true, force: true });
  }

  /** A number from /metrics. */
  async metric(name) {
    const text = await (await fetch(`${this.origin}/metrics`)).text();
    const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`/metrics has no ${name}`);
    return Number(value);
  }
}
