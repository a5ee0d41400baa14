// Every benchmark at small size, this side alone and the peer where it is cheap to start; and what the
// report makes of figures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, median } from './benchmark.ts';
import { benchmarks } from './catalogue.ts';
import { section } from './report.ts';
import { runBenchmark } from './runner.ts';

test('a ratio above one means that this side is better, whatever the direction', () => {
  const seconds = { name: 'time', unit: 's', better: 'lower' as const, goal: 2 };
  const rate = { name: 'rate', unit: '/s', better: 'higher' as const, goal: 3 };
  const found = compare({
    strata: [
      [{ ...seconds, value: 1 }],
      [
        { ...seconds, value: 3 },
        { ...rate, value: 100 },
      ],
    ],
    peer: [
      [
        { ...seconds, value: 6 },
        { ...rate, value: 50 },
      ],
    ],
  });
  assert.deepEqual(
    found.map(({ name, strata, peer, ratio }) => [name, strata, peer, ratio]),
    [
      ['time', 2, 6, 3],
      ['rate', 100, 50, 2],
    ],
  );
  assert.equal(median([]), undefined);
  const [benchmark] = benchmarks;
  assert.ok(benchmark !== undefined);
  const text = section({
    benchmark,
    rounds: { strata: [], peer: [] },
    comparisons: found,
    notes: [],
  });
  assert.match(text, /\| time \| 2\.00 s \| 6\.00 s \| 3\.00× \| 2× \| met \|/);
  assert.match(text, /\| rate \| 100 \/s \| 50\.0 \/s \| 2\.00× \| 3× \| missed \|/);
});

test('a side that is absent is named, and the other one measured', async () => {
  const { notes, comparisons, failed } = await runBenchmark(
    {
      name: 'n',
      about: 'a',
      peer: 'Mesos',
      missing: (side) => (side === 'peer' ? 'no such file' : undefined),
      measure: () => Promise.resolve([{ name: 'm', value: 1, unit: 's', better: 'lower' }]),
    },
    { size: 'small', rounds: 2 },
  );
  assert.deepEqual(notes, ['Not measured: peer: no such file']);
  assert.equal(comparisons[0]?.ratio, undefined);
  assert.equal(failed, false);
});

for (const benchmark of benchmarks) {
  const why = benchmark.missing('strata');
  test(`${benchmark.name} at small size`, { skip: why ?? false }, async () => {
    const { notes, comparisons, failed } = await runBenchmark(benchmark, {
      size: 'small',
      rounds: 1,
      sides: benchmark.peer === 'Kubernetes' ? ['strata'] : ['strata', 'peer'],
    });
    assert.equal(failed, false, notes.join('\n'));
    assert.ok(comparisons.length > 0);
    for (const { name, strata } of comparisons) assert.ok(Number.isFinite(strata), name);
  });
}
