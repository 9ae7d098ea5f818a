// A stand-in for jarip serve: the built page under the server's policy, and scripted answers. It
// lets the page's tests decide every piece, pause and failure.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

export const POLICY =
  "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const CONTENT_TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class FakeServer {
  /** What the next completions do: one script each, the last one again and again. */
  scripts = [];
  /** Bodies of the completions asked for. */
  requests = [];
  /** Completions whose client went away before their end. */
  abandoned = 0;
  health = { status: 200, body: { status: 'ok' } };
  /** The key that is asked for; empty: none. */
  key = '';

  constructor(folder) {
    this.folder = folder;
    this.server = createServer((request, response) => {
      this.serve(request, response).catch(() => response.destroy());
    });
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async serve(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (pathname === '/health') return sendJson(response, this.health.status, this.health.body);
    if (pathname.startsWith('/v1/') && !this.admits(request)) {
      return sendJson(response, 401, {
        error: { message: 'no good key', code: 'invalid_api_key' },
      });
    }
    if (pathname === '/v1/models') {
      return sendJson(response, 200, {
        object: 'list',
        data: [{ id: 'fake-model', object: 'model' }],
      });
    }
    if (pathname === '/v1/chat/completions') return this.complete(request, response);
    return this.sendFile(pathname === '/' ? '/index.html' : pathname, response);
  }

  admits(request) {
    return this.key === '' || request.headers.authorization === `Bearer ${this.key}`;
  }

  async sendFile(name, response) {
    const type = CONTENT_TYPES[path.extname(name)];
    const bytes = type && (await readFile(path.join(this.folder, name)).catch(() => undefined));
    if (!bytes) return sendJson(response, 404, { error: { message: `no such path: ${name}` } });
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': POLICY });
    response.end(bytes);
  }

  async complete(request, response) {
    let body = '';
    for await (const piece of request) body += piece;
    this.requests.push(JSON.parse(body));
    const script = this.scripts.length > 1 ? this.scripts.shift() : this.scripts[0];
    if (script.status) return sendJson(response, script.status, { error: script.error });
    let gone = false;
    response.on('close', () => {
      gone = !response.writableFinished;
      if (gone) this.abandoned++;
    });
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(': ping\n\n');
    await this.play(script, response, () => gone);
  }

  async play({ thoughts = [], until, pieces, pauseMs = 5, error, breakOff }, response, gone) {
    const send = (value) => response.write(`data: ${JSON.stringify(value)}\n\n`);
    send({ choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }] });
    for (const thought of thoughts) {
      await pause(pauseMs);
      if (gone()) return;
      const delta = { reasoning_content: thought, reasoning: thought };
      send({ choices: [{ delta, finish_reason: null }] });
    }
    // Between thinking and answering, for tests that look at the page in that state.
    await until;
    for (const content of pieces) {
      await pause(pauseMs);
      if (gone()) return;
      send({ choices: [{ delta: { content }, finish_reason: null }] });
    }
    if (breakOff) {
      // What a reset overtakes is lost on the way; the page is to see the pieces first.
      await pause(100);
      return response.destroy();
    }
    if (error) {
      send({ error });
      return response.end();
    }
    send({ choices: [{ delta: {}, finish_reason: 'stop' }] });
    send({ choices: [], usage: { completion_tokens: pieces.length } });
    response.end('data: [DONE]\n\n');
  }
}

function sendJson(response, status, value) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}
