// Metrics in their order, as JSON and one by one; a part of them put between the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MetricList } from './metric-list.ts';

const value = fc.oneof(fc.integer(), fc.double({ noDefaultInfinity: false, noNaN: false }));
const record = fc.dictionary(fc.string({ maxLength: 6 }), value, { noNullPrototype: true });

function sorted(metrics: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(metrics).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test('they are what JSON.stringify() makes of all, in the order of their names', () => {
  fc.assert(
    fc.property(record, (metrics) => {
      const list = MetricList.of(metrics);
      const wanted = sorted(metrics).map(([name, one]) => ({ name, value: one }));
      assert.deepEqual(list.toArray(), wanted);
      const fields = wanted.map(
        (one) => `${JSON.stringify(one.name)}:${JSON.stringify(one.value)}`,
      );
      assert.equal(list.toJson(), `{${fields.join(',')}}`);
    }),
  );
});

test('those of frameworks lie between the others', () => {
  fc.assert(
    fc.property(record, record, (outer, inner) => {
      const within = Object.fromEntries(
        Object.entries(inner).map(([name, one]) => [`m/f/${name}`, one]),
      );
      const around = Object.fromEntries(
        Object.entries(outer).filter(([name]) => !name.startsWith('m/f/')),
      );
      const whole = MetricList.of(around).with(MetricList.of(within));
      const wanted = sorted({ ...around, ...within }).map(([name, one]) => ({ name, value: one }));
      assert.deepEqual(whole.toArray(), wanted);
      assert.equal(whole.length, wanted.length);
    }),
  );
});
