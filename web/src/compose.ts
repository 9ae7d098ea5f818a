// When a key means "send". An input method composes Hangul in place: Enter may first only end the
// syllable, and text taken while one is open would be sent early or leave its last syllable behind.

export interface Key {
  key: string;
  keyCode: number;
  isComposing: boolean;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** What browsers report for a key that the input method has taken. */
const TAKEN_BY_INPUT_METHOD = 229;

export class Composer {
  private open = false;
  private sendWhenClosed = false;

  compositionStart(): void {
    this.open = true;
  }

  /** True when a send asked for during the composition is now due. */
  compositionEnd(): boolean {
    const due = this.sendWhenClosed;
    this.open = false;
    this.sendWhenClosed = false;
    return due;
  }

  sendsOn(event: Key): boolean {
    if (event.key !== 'Enter' || event.shiftKey || event.altKey) return false;
    // Safari ends the composition before it reports the key that ended it: there only the code tells.
    return !this.open && !event.isComposing && event.keyCode !== TAKEN_BY_INPUT_METHOD;
  }

  /** The send button: true to send now, false when it must wait for the syllable to close. */
  press(): boolean {
    this.sendWhenClosed = this.open;
    return !this.open;
  }
}
