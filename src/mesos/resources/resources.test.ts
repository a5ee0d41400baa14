// Laws of the resource algebra, against a naive twin that counts single units.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { faultCode } from '#base/fault.ts';
import { parseAttributes, parseResources } from './parse.ts';
import { addRanges, containsRanges, subtractRanges, type Ranges } from './ranges.ts';
import { Resources } from './resources.ts';

const aRange = fc
  .tuple(fc.nat(30), fc.nat(10))
  .map(([begin, size]) => ({ begin, end: begin + size }));
const someRanges = fc.array(aRange, { maxLength: 5 });
const members = (ranges: Ranges): Set<number> =>
  new Set(
    ranges.flatMap(({ begin, end }) =>
      Array.from({ length: end - begin + 1 }, (_, i) => begin + i),
    ),
  );

test('ranges behave as the sets of numbers that they stand for', () => {
  fc.assert(
    fc.property(someRanges, someRanges, (a, b) => {
      assert.deepEqual(members(addRanges(a, b)), members(a).union(members(b)));
      assert.deepEqual(members(subtractRanges(a, b)), members(a).difference(members(b)));
      assert.equal(containsRanges(a, b), members(b).isSubsetOf(members(a)));
    }),
  );
});

const someResources = fc
  .record({
    cpus: fc.nat(4_000),
    mem: fc.nat(4_000),
    role: fc.constantFrom('*', 'a'),
    ports: someRanges,
  })
  .map(({ cpus, mem, role, ports }) =>
    Resources.of([
      { name: 'cpus', type: 'SCALAR', scalar: { value: cpus / 1_000 }, role },
      { name: 'mem', type: 'SCALAR', scalar: { value: mem } },
      { name: 'ports', type: 'RANGES', ranges: { range: [...ports] } },
    ]),
  );

test('adding and then subtracting disjoint resources gives back the first', () => {
  fc.assert(
    fc.property(someResources, someResources, (a, b) => {
      const scalars = b.filter(({ type }) => type === 'SCALAR');
      assert.ok(a.add(scalars).subtract(scalars).equals(a));
      assert.ok(a.add(b).contains(a));
      assert.ok(a.add(b).contains(b));
    }),
  );
});

test('scalars are exact to a thousandth', () => {
  const tenth = Resources.of([{ name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } }]);
  const sum = Array.from({ length: 10 }, () => tenth).reduce((a, b) => a.add(b));
  assert.equal(sum.scalar('cpus'), 1);
});

test('parseResources() takes the operators notation', () => {
  const parsed = Resources.of(
    parseResources('cpus:4;mem(ads):1024;ports:[31000-31001,32000-32000]'),
  );
  assert.equal(parsed.scalar('cpus'), 4);
  assert.deepEqual(parsed.ranges('ports'), [
    { begin: 31_000, end: 31_001 },
    { begin: 32_000, end: 32_000 },
  ]);
  assert.deepEqual(parsed.toWire()[1]?.reservations, [{ type: 'STATIC', role: 'ads' }]);
});

for (const text of ['cpus', 'cpus:x', 'ports:[5-1]', 'cpus:-1', '[{']) {
  test(`parseResources() refuses ${text}`, () => {
    assert.throws(
      () => parseResources(text),
      (error) => faultCode(error) === 'bad-resources',
    );
  });
}

test('parseAttributes() tells numbers from text', () => {
  assert.deepEqual(parseAttributes('rack:a;cores:8'), [
    { name: 'rack', type: 'TEXT', text: { value: 'a' } },
    { name: 'cores', type: 'SCALAR', scalar: { value: 8 } },
  ]);
});
