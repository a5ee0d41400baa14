// Texts that are no JSON, and what Go 1.26's encoding/json says of each.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { goJsonFault } from './go-json-error.ts';

const END = 'unexpected end of JSON input';
const table: readonly (readonly [string, string])[] = [
  ['', END],
  ['{', END],
  ['[1,', END],
  ['{"a":"b', END],
  ['tru', END],
  ['x', "invalid character 'x' looking for beginning of value"],
  ['{a}', "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 2}', "invalid character '2' after object key:value pair"],
  ['[1 2]', "invalid character '2' after array element"],
  ['{} {', "invalid character '{' after top-level value"],
  ['trux', "invalid character 'x' in literal true (expecting 'e')"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['-x', "invalid character 'x' in numeric literal"],
  ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ['1ex', "invalid character 'x' in exponent of numeric literal"],
  ['01', "invalid character '1' after top-level value"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
];

for (const [text, wanted] of table) {
  void test(`of ${JSON.stringify(text)}`, () => assert.equal(goJsonFault(text), wanted));
}

test('there is a fault where the platform finds one, and nowhere else', () => {
  const isRight = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const texts = fc
    .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 }))
    .map(([json, at, more]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + more + json.slice(place + (at % 3));
    });
  fc.assert(fc.property(texts, (text) => (goJsonFault(text) === undefined) === isRight(text)));
});
