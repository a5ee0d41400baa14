// What Go's encoding/json says of a text that is no JSON, so that clients read what kube-apiserver tells.

type State =
  | 'value'
  | 'valueOrEnd'
  | 'key'
  | 'keyOrEnd'
  | 'afterKey'
  | 'afterObjectValue'
  | 'afterArrayValue'
  | 'end';

const END = 'unexpected end of JSON input';

function quoted(character: string): string {
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  return `'${JSON.stringify(character).slice(1, -1)}'`;
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Why it is no JSON; undefined when it is. */
  fault(): string | undefined {
    const stack: ('object' | 'array')[] = [];
    let state: State = 'value';
    const closed = (): State => {
      const inside = stack.at(-1);
      return inside === undefined
        ? 'end'
        : inside === 'object'
          ? 'afterObjectValue'
          : 'afterArrayValue';
    };
    for (;;) {
      this.#skip();
      const character = this.#text[this.#at];
      if (character === undefined) return state === 'end' ? undefined : END;
      const odd = (where: string): string => `invalid character ${quoted(character)} ${where}`;
      if (state === 'end') return odd('after top-level value');
      if (
        (state === 'valueOrEnd' && character === ']') ||
        (state === 'keyOrEnd' && character === '}')
      ) {
        this.#at += 1;
        stack.pop();
        state = closed();
        continue;
      }
      if (state === 'key' || state === 'keyOrEnd') {
        if (character !== '"') return odd('looking for beginning of object key string');
        const wrong = this.#string();
        if (wrong !== undefined) return wrong;
        state = 'afterKey';
        continue;
      }
      if (state === 'afterKey') {
        if (character !== ':') return odd('after object key');
        this.#at += 1;
        state = 'value';
        continue;
      }
      if (state === 'afterObjectValue' || state === 'afterArrayValue') {
        const isObject: boolean = state === 'afterObjectValue';
        if (character === ',') state = isObject ? 'key' : 'value';
        else if (character === (isObject ? '}' : ']')) {
          stack.pop();
          state = closed();
        } else return odd(isObject ? 'after object key:value pair' : 'after array element');
        this.#at += 1;
        continue;
      }
      if (character === '{' || character === '[') {
        stack.push(character === '{' ? 'object' : 'array');
        state = character === '{' ? 'keyOrEnd' : 'valueOrEnd';
        this.#at += 1;
        continue;
      }
      const wrong = this.#scalar(character, odd);
      if (wrong !== undefined) return wrong;
      state = closed();
    }
  }

  #skip(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #scalar(character: string, odd: (where: string) => string): string | undefined {
    if (character === '"') return this.#string();
    if (/[-0-9]/.test(character)) return this.#number();
    const word = { t: 'true', f: 'false', n: 'null' }[character];
    if (word === undefined) return odd('looking for beginning of value');
    for (let i = 1; i < word.length; i++) {
      const next = this.#text[this.#at + i];
      if (next === undefined) return END;
      if (next !== word[i])
        return `invalid character ${quoted(next)} in literal ${word} (expecting ${quoted(word[i] ?? '')})`;
    }
    this.#at += word.length;
    return undefined;
  }

  #string(): string | undefined {
    for (this.#at += 1; ; this.#at++) {
      const character = this.#text[this.#at];
      if (character === undefined) return END;
      if (character === '"') {
        this.#at += 1;
        return undefined;
      }
      if (character < ' ') return `invalid character ${quoted(character)} in string literal`;
      if (character !== '\\') continue;
      this.#at += 1;
      const escaped = this.#text[this.#at];
      if (escaped === undefined) return END;
      if (escaped === 'u') {
        for (let i = 0; i < 4; i++) {
          this.#at += 1;
          const digit = this.#text[this.#at];
          if (digit === undefined) return END;
          if (!/[0-9a-fA-F]/.test(digit))
            return `invalid character ${quoted(digit)} in \\u hexadecimal character escape`;
        }
      } else if (!'bfnrt\\/"'.includes(escaped)) {
        return `invalid character ${quoted(escaped)} in string escape code`;
      }
    }
  }

  #number(): string | undefined {
    const digits = (): boolean => {
      const start = this.#at;
      while (/[0-9]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      return this.#at > start;
    };
    const missing = (where: string): string => {
      const next = this.#text[this.#at];
      return next === undefined ? END : `invalid character ${quoted(next)} ${where}`;
    };
    if (this.#text[this.#at] === '-') this.#at += 1;
    if (this.#text[this.#at] === '0') this.#at += 1;
    else if (!digits()) return missing('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at += 1;
      if (!digits()) return missing('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at += 1;
      if (/[+-]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      if (!digits()) return missing('in exponent of numeric literal');
    }
    return undefined;
  }
}

export function goJsonFault(text: string): string | undefined {
  return new Scanner(text).fault();
}
