// Server-sent events from a stream of bytes, cut anywhere: within a line ending, within a character.

/** The most characters one event may hold; a server that sends more is not ours. */
export const MAX_EVENT_CHARS = 4 * 1024 * 1024;

export class SseParser {
  private readonly decoder = new TextDecoder('utf-8');
  private rest = '';
  private data: string[] = [];
  private dataChars = 0;
  private afterCarriageReturn = false;

  /** The data of every event that these bytes complete. Comments and other fields are skipped. */
  push(bytes: Uint8Array): string[] {
    return this.take(this.decoder.decode(bytes, { stream: true }));
  }

  private take(text: string): string[] {
    const events: string[] = [];
    let line = this.rest;
    let start = 0;
    // A CR that ended the last piece has already ended its line; an LF that follows belongs to it.
    if (this.afterCarriageReturn && text.startsWith('\n')) start = 1;
    if (text.length > 0) this.afterCarriageReturn = text.endsWith('\r');
    for (let i = start; i < text.length; i++) {
      const c = text[i];
      if (c !== '\n' && c !== '\r') continue;
      this.takeLine(line + text.slice(start, i), events);
      line = '';
      if (c === '\r' && text[i + 1] === '\n') i++;
      start = i + 1;
    }
    this.rest = line + text.slice(start);
    if (this.rest.length + this.dataChars > MAX_EVENT_CHARS) {
      throw new RangeError('an event of the stream is too long');
    }
    return events;
  }

  private takeLine(line: string, events: string[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push(this.data.join('\n'));
      this.data = [];
      this.dataChars = 0;
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== 'data') return;
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    this.data.push(value);
    this.dataChars += value.length + 1;
  }
}
