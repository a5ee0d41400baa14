// A kept list says what writing all of its elements afresh says, whatever happened to them before; and
// it writes only what changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Form, KeptList } from './kept-list.ts';

interface Item {
  readonly id: number;
  value: string;
}

const plain: Form<Item> = { name: 'plain', write: (one, out) => out.text(`,${one.value}`) };
const long: Form<Item> = {
  name: 'long',
  write: (one, out) => out.text(`<${one.id}:${one.value}>`),
};
const never = (): boolean => false;

function textOf(list: KeptList<Item>, form: Form<Item>): string {
  assert.ok(list.refresh(form, never));
  return Buffer.concat(list.parts(form)).toString();
}

test('kept text is the text of all elements, after any history', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('add'), n: fc.nat(40) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove'), n: fc.nat() }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('removeFirst'), n: fc.nat(300) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('change'), n: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read'), n: fc.nat(1) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('half'), n: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('addMany'), n: fc.nat(600) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const twin: Item[] = [];
      const list = new KeptList<Item>([]);
      let next = 0;
      const add = (value: string): void => {
        const item = { id: (next += 1), value };
        twin.push(item);
        list.add(item);
      };
      const removeAt = (at: number): void => {
        const [item] = twin.splice(at, 1);
        if (item !== undefined) list.remove(item);
      };
      const check = (): void => {
        assert.equal(list.size, twin.length);
        assert.equal(textOf(list, plain), twin.map(({ value }) => `,${value}`).join(''));
        assert.equal(textOf(list, long), twin.map(({ id, value }) => `<${id}:${value}>`).join(''));
        const texts = [...list.texts(long)].map(([one, bytes, from, to]) => [
          one,
          Buffer.from(bytes.subarray(from, to)).toString(),
        ]);
        assert.deepEqual(
          texts,
          twin.map((one) => [one, `<${one.id}:${one.value}>`]),
        );
      };
      for (const { kind, n } of steps) {
        const at = twin.length === 0 ? 0 : n % twin.length;
        const item = twin[at];
        if (kind === 'add') add('ä'.repeat(n));
        else if (kind === 'addMany') for (let i = 0; i < n; i++) add(String(i));
        else if (kind === 'remove') removeAt(at);
        else if (kind === 'removeFirst') for (let i = 0; i < n; i++) removeAt(0);
        else if (kind === 'half') {
          let left = n;
          list.refresh(plain, () => (left -= 1) < 0);
        } else if (kind === 'change' && item !== undefined) {
          item.value += '!';
          list.touch(item);
        } else check();
      }
      check();
    }),
    { numRuns: 200 },
  );
});

test('only what changed is written again, and bytes that were read stay as they were', () => {
  let writes = 0;
  const counted: Form<Item> = {
    name: 'counted',
    write: (one, out) => {
      writes += 1;
      out.text(`,${one.value}`);
    },
  };
  const items = Array.from({ length: 5_000 }, (_, id) => ({ id, value: `v${id}` }));
  const list = new KeptList<Item>(items);
  const before = textOf(list, counted);
  const parts = list.parts(counted);
  assert.equal(writes, 5_000);
  const [item] = items.slice(2_500);
  assert.ok(item !== undefined);
  item.value = 'new';
  list.touch(item);
  assert.equal(textOf(list, counted), before.replace(',v2500,', ',new,'));
  assert.equal(writes, 5_001);
  assert.equal(Buffer.concat(parts).toString(), before);
  const same = list.parts(counted).filter((part) => parts.includes(part));
  assert.equal(same.length, parts.length - 1);
});
