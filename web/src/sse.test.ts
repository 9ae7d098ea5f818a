import { describe, expect, it } from 'vitest';
import { MAX_EVENT_CHARS, SseParser } from './sse';

const encode = (text: string) => new TextEncoder().encode(text);

function parse(...pieces: Uint8Array[]): string[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

const STREAM =
  ': ping\n\ndata: {"a":"안녕 🌱"}\n\n: ping\r\n\r\ndata: two\r\ndata: lines\r\n\r\nevent: x\rid: 7\rdata:tight\r\rdata\n\ndata: [DONE]\n\n';
const EVENTS = ['{"a":"안녕 🌱"}', 'two\nlines', 'tight', '', '[DONE]'];

describe('SseParser', () => {
  it('reads events in every line ending and skips comments and other fields', () => {
    expect(parse(encode(STREAM))).toEqual(EVENTS);
  });

  it('reads the same events when the stream is cut at any byte', () => {
    const bytes = encode(STREAM);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(parse(bytes.slice(0, cut), bytes.slice(cut)), `cut at ${cut}`).toEqual(EVENTS);
    }
  });

  it('reads the same events byte by byte', () => {
    const bytes = encode(STREAM);
    expect(parse(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
  });

  it('gives no event before its blank line', () => {
    const parser = new SseParser();
    expect(parser.push(encode('data: half\n'))).toEqual([]);
    expect(parser.push(encode('\n'))).toEqual(['half']);
  });

  it('keeps a colon and further spaces of the value', () => {
    expect(parse(encode('data:  a: b\n\n'))).toEqual([' a: b']);
  });

  it('drops an event that the stream ends in the middle of', () => {
    expect(parse(encode('data: one\n\ndata: tw'))).toEqual(['one']);
  });

  it('refuses an event without end instead of holding it', () => {
    const parser = new SseParser();
    const piece = encode('x'.repeat(1024 * 1024));
    const feed = () => {
      for (let n = 0; n * piece.length <= MAX_EVENT_CHARS; n++) parser.push(piece);
    };
    expect(feed).toThrow(RangeError);
  });

  it('refuses an event of endlessly many lines', () => {
    const parser = new SseParser();
    const piece = encode(`data: ${'x'.repeat(1024 * 1024)}\n`);
    const feed = () => {
      for (let n = 0; n * piece.length <= MAX_EVENT_CHARS + piece.length; n++) parser.push(piece);
    };
    expect(feed).toThrow(RangeError);
  });
});
