/** Text that goes to many connections within messages of their own. */

/** Text that is made once when it is first asked for, as are its bytes, however many connections are sent it. */
export class SharedText {
  #make: (() => string) | undefined;
  #text: string | undefined;
  #bytes: Uint8Array | undefined;

  constructor(make: () => string) {
    this.#make = make;
  }

  get text(): string {
    if (this.#text === undefined) {
      this.#text = this.#make?.() ?? "";
      // What it was made of is needed no more.
      this.#make = undefined;
    }
    return this.#text;
  }

  /** The text as UTF-8; made when first asked for, not to be written to. */
  get bytes(): Uint8Array {
    return this.#bytes ??= encoder.encode(this.text);
  }
}

/**
 * One text message: shared text between two short pieces of its own. Each of the three is well-formed by
 * itself, as its bytes are made by itself.
 */
export class Envelope {
  readonly before: string;
  readonly shared: SharedText;
  readonly after: string;

  constructor(before: string, { shared, after }: { shared: SharedText; after: string }) {
    this.before = before;
    this.shared = shared;
    this.after = after;
  }

  /** Length in UTF-16 units, as of a string. */
  get length(): number {
    return this.before.length + this.shared.text.length + this.after.length;
  }

  toString(): string {
    return this.before + this.shared.text + this.after;
  }
}

const encoder = new TextEncoder();
