// A value that JSON has no form for, as Go would print it: what expressions may put into an object.

export class GoValue {
  /** As `%#v` prints it, and as `%v`. */
  readonly shown: string;
  readonly printed: string;
  readonly type: string;
  /** What comes nearest to it in JSON. */
  readonly plain: unknown;

  constructor(shown: string, type: string, plain: unknown, printed = shown) {
    this.shown = shown;
    this.type = type;
    this.plain = plain;
    this.printed = printed;
  }

  toString(): string {
    return this.printed;
  }
}
