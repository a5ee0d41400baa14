// Which labels are told by their values, and what is refused in upstream's words.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Fault } from '#base/fault.ts';
import { LabelLimits } from './label-limits.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-labels-'));
after(() => rmSync(folder, { recursive: true }));
const manifest = join(folder, 'manifest.yaml');
writeFileSync(manifest, '"requests,code": "200,201"\n');
const bad = join(folder, 'bad.yaml');
writeFileSync(bad, 'x: y\n');
const gone = join(folder, 'gone.yaml');

const page = [
  '# TYPE others counter',
  'others{code="404"} 1',
  '# TYPE requests counter',
  'requests{code="200",verb="GET"} 3',
  'requests{code="404",verb="GET"} 4',
  'requests{code="500",verb="GET"} 5',
  'requests{code="500",verb="a\\"}b"} 6',
  '# TYPE took histogram',
  'took_bucket{verb="GET",le="1"} 2',
  'took_bucket{verb="GET",le="+Inf"} 3',
  'took_sum{verb="GET"} 2.5',
  'took_count{verb="GET"} 3',
  'took_bucket{verb="PUT",le="1"} 1',
  'took_bucket{verb="PUT",le="+Inf"} 1',
  'took_sum{verb="PUT"} 0.5',
  'took_count{verb="PUT"} 1',
  '# TYPE held gauge',
  'held{who="a"} 1',
  'held{who="b"} 2',
  '# TYPE plain counter',
  'plain 7',
];

const COUNTER = 'cardinality_enforcement_unexpected_categorizations_total';

test('other values are told as unexpected, together', () => {
  const limits = LabelLimits.of({
    allowMetricLabels: ['requests,code=200,201', '"took,verb=","held,who=x"', 'plain,x=y'],
  });
  assert.deepEqual(limits?.limit(page), [
    '# TYPE others counter',
    'others{code="404"} 1',
    '# TYPE requests counter',
    'requests{code="200",verb="GET"} 3',
    'requests{code="unexpected",verb="GET"} 9',
    'requests{code="unexpected",verb="a\\"}b"} 6',
    '# TYPE took histogram',
    'took_bucket{verb="unexpected",le="1"} 3',
    'took_bucket{verb="unexpected",le="+Inf"} 4',
    'took_sum{verb="unexpected"} 3',
    'took_count{verb="unexpected"} 4',
    '# TYPE held gauge',
    'held{who="unexpected"} 2',
    '# TYPE plain counter',
    'plain 7',
    `# TYPE ${COUNTER} counter`,
    `${COUNTER} ${15 + 4 + 2}`,
  ]);
});

test('a manifest says the same; nothing limits nothing', () => {
  const limits = LabelLimits.of({ allowMetricLabelsManifest: manifest });
  assert.deepEqual(limits?.limit(page).slice(3, 5), [
    'requests{code="200",verb="GET"} 3',
    'requests{code="unexpected",verb="GET"} 9',
  ]);
  assert.equal(LabelLimits.of({}), undefined);
});

const key =
  'must have keys with format `metricName,labelName` where metricName matches "[a-zA-Z_:][a-zA-Z0-9_:]*" and labelName matches "[a-zA-Z_][a-zA-Z0-9_]*"';
const FLAG = '--allow-metric-labels';
const FILE = 'metrics.allowListMappingManifest: Invalid value:';

const refused: readonly (readonly [flags: Record<string, string>, why: string])[] = [
  [
    { allowMetricLabels: 'x' },
    `${FLAG}: invalid argument "x" for "${FLAG}" flag: x must be formatted as key=value`,
  ],
  [
    { allowMetricLabels: 'a,b=c,d="' },
    `${FLAG}: invalid argument "a,b=c,d=\\"" for "${FLAG}" flag: parse error on line 1, column 9: bare " in non-quoted-field`,
  ],
  [
    { allowMetricLabels: 'x=y' },
    `${FLAG}: metrics.allowListMapping: Invalid value: {"x":"y"}: ${key}`,
  ],
  [
    { allowMetricLabels: 'a,b=c', allowMetricLabelsManifest: manifest },
    `${FLAG}: metrics: Invalid value: ${JSON.stringify({ allowListMapping: { 'a,b': 'c' }, allowListMappingManifest: manifest })}: cannot specify both allowListMapping and allowListMappingManifest`,
  ],
  [
    { allowMetricLabelsManifest: gone },
    `${FLAG}-manifest: ${FILE} ${JSON.stringify(gone)}: failed to read allow list manifest: open ${gone}: no such file or directory`,
  ],
  [
    { allowMetricLabelsManifest: bad },
    `${FLAG}-manifest: ${FILE} ${JSON.stringify(bad)}: invalid allow list mapping in manifest: [${FILE} {"x":"y"}: ${key}]`,
  ],
];

for (const [flags, why] of refused) {
  test(`refused: ${why.replaceAll(folder, '')}`, () => {
    assert.throws(
      () => LabelLimits.of(flags),
      (error: Fault) => {
        assert.equal(error.message, `Cannot use ${why}`);
        return true;
      },
    );
  });
}
