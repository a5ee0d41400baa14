// What a request asks for; in what form it is answered. What a real master makes of the same is in the scenes
// `endpoints` and `operator-calls` of the differential suite.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { acceptedType } from './negotiate.ts';
import { readTarget } from './target.ts';

interface Case {
  readonly target: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly whole?: string;
}

const cases: readonly Case[] = [
  { target: '/state', path: '/state' },
  { target: '//master///state/', path: '/master/state/', whole: '//master///state/' },
  { target: '/quota/a%2Fb', path: '/quota/a%2Fb' },
  { target: '/state?a=1&b=2;c=3', path: '/state', query: { a: '1', b: '2', c: '3' } },
  { target: '/state?a=1&a=2', path: '/state', query: { a: '2' } },
  { target: '/state?a&&=x&b=c=d', path: '/state', query: { a: '', '': 'x', b: 'c=d' } },
  { target: '/state?a=b+c%20d', path: '/state', query: { a: 'b c d' } },
  { target: '/state?a=%C3%A9', path: '/state', query: { a: 'é' } },
  { target: '/state??a=1', path: '/state', query: { '?a': '1' } },
  { target: '/state#a?b=1', path: '/state', whole: '/state' },
  { target: 'http://h:5050/state?a=1#b', path: '/state', query: { a: '1' }, whole: '/state?a=1' },
  { target: 'HTTPS://[::1]/a/b', path: '/a/b', whole: '/a/b' },
];

for (const { target, path, query = {}, whole = target } of cases) {
  test(`${target} is ${path}`, () => {
    const found = readTarget(target);
    assert.ok('pathname' in found);
    assert.equal(found.pathname, path);
    assert.deepEqual(Object.fromEntries(found.query), query);
    assert.equal(found.whole, whole);
  });
}

for (const [target, message] of [
  ['*', "Request URL path must start with '/'"],
  ['state', "Request URL path must start with '/'"],
  ['http://h', "Request URL path must start with '/'"],
  ['/state?a=%zz', "Malformed % escape in '%zz': '%zz'"],
  ['/state?a=1&b%4=1', "Malformed % escape in 'b%4': '%4'"],
] as const) {
  test(`${target} is none`, () => {
    assert.deepEqual(readTarget(target), { status: 400, message });
  });
}

test('what is escaped comes back', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string()), (fields) => {
      const found = readTarget(`/x?${new URLSearchParams(Object.entries(fields)).toString()}`);
      assert.ok('query' in found);
      assert.deepEqual([...found.query], Object.entries(fields));
    }),
  );
});

const [JSON_TYPE, PROTOBUF_TYPE] = ['application/json', 'application/x-protobuf'] as const;
for (const [accept, type] of [
  [undefined, JSON_TYPE],
  ['', undefined],
  ['*/*', JSON_TYPE],
  ['APPLICATION/X-Protobuf', PROTOBUF_TYPE],
  ['application/x-protobuf, application/json;q=0.1', JSON_TYPE],
  ['application/json;q=0, */*', PROTOBUF_TYPE],
  ['application/json ; q=0.0 , application/x-protobuf', PROTOBUF_TYPE],
  ['application/json;q=x', undefined],
  ['application/json;q=0;q=0', JSON_TYPE],
  ['application/json;charset=utf-8', JSON_TYPE],
  ['application/*;q=0, */*', undefined],
  ['text/html', undefined],
  [';;,,', undefined],
] as const) {
  test(`"${accept}" accepts ${type}`, () => assert.equal(acceptedType(accept), type));
}
