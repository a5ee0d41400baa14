// A tally says what the join of the bags in it says, whatever came and went before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Resource } from '#wire/mesos/v1.ts';
import { parseResources } from './parse.ts';
import { Resources } from './resources.ts';
import { Tally } from './tally.ts';

const volume: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 64 },
  reservations: [{ type: 'DYNAMIC', role: 'a' }],
  disk: { persistence: { id: 'v' }, volume: { mode: 'RW', container_path: 'p' } },
};
const bags: readonly Resources[] = [
  Resources.of(parseResources('cpus:1;mem:100')),
  Resources.of(parseResources('cpus:0.125;ports:[10-20,30-40]')),
  Resources.of(parseResources('ports:[15-35]')),
  Resources.of(parseResources('cpus(a):2;zones:{x,y}')),
  Resources.of(parseResources('zones:{y,z};ports:[41-41]')),
  Resources.of([volume]),
  Resources.of([{ ...volume, shared: {} }]),
  Resources.none,
];

test('a tally is the join of the bags that are in it', () => {
  const step = fc.record({
    bag: fc.constantFrom(...bags),
    isIn: fc.boolean(),
    isAsked: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const tally = new Tally();
      const held: Resources[] = [];
      for (const { bag, isIn, isAsked } of steps) {
        const at = held.indexOf(bag);
        if (isIn || at < 0) {
          tally.add(bag);
          held.push(bag);
        } else {
          tally.remove(bag);
          held.splice(at, 1);
        }
        if (!isAsked) continue;
        const joined = Resources.join(held);
        assert.ok(tally.total().equals(joined));
        assert.deepEqual(
          new Map([...tally.total().quantities()].toSorted()),
          new Map([...joined.quantities()].toSorted()),
        );
      }
    }),
  );
});
