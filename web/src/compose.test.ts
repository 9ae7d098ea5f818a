import { describe, expect, it } from 'vitest';
import { Composer, type Key } from './compose';

const enter: Key = {
  key: 'Enter',
  keyCode: 13,
  isComposing: false,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
};

describe('Composer', () => {
  it('sends on Enter and not on Shift+Enter, Alt+Enter or another key', () => {
    const composer = new Composer();
    expect(composer.sendsOn(enter)).toBe(true);
    expect(composer.sendsOn({ ...enter, ctrlKey: true })).toBe(true);
    expect(composer.sendsOn({ ...enter, shiftKey: true })).toBe(false);
    expect(composer.sendsOn({ ...enter, altKey: true })).toBe(false);
    expect(composer.sendsOn({ ...enter, key: 'a', keyCode: 65 })).toBe(false);
  });

  it('sends once for the two Enters that macOS reports at the end of a syllable', () => {
    const composer = new Composer();
    composer.compositionStart();
    const first = composer.sendsOn({ ...enter, isComposing: true, keyCode: 229 });
    composer.compositionEnd();
    expect([first, composer.sendsOn(enter)]).toEqual([false, true]);
  });

  it('takes no Enter that Safari reports after the composition it ended', () => {
    const composer = new Composer();
    composer.compositionStart();
    composer.compositionEnd();
    expect(composer.sendsOn({ ...enter, keyCode: 229 })).toBe(false);
    expect(composer.sendsOn(enter)).toBe(true);
  });

  it('takes no Enter of an open composition, even if the event does not say so', () => {
    const composer = new Composer();
    composer.compositionStart();
    expect(composer.sendsOn(enter)).toBe(false);
  });

  it('holds a press of the button until the syllable closes, and then sends once', () => {
    const composer = new Composer();
    composer.compositionStart();
    expect(composer.press()).toBe(false);
    expect(composer.compositionEnd()).toBe(true);
    composer.compositionStart();
    expect(composer.compositionEnd()).toBe(false);
    expect(composer.press()).toBe(true);
  });
});
