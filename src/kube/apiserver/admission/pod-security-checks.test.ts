// Standards of before v1.19 look at the annotations of seccomp, later ones at the fields.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findings, type Level } from './pod-security-checks.ts';

const spec = { initContainers: [{ name: 'first' }], containers: [{ name: 'main' }] };
const pod = 'seccomp.security.alpha.kubernetes.io/pod';
const of = (name: string): string => `container.seccomp.security.alpha.kubernetes.io/${name}`;

const cases: readonly (readonly [Level, number | 'latest', Record<string, string>, string])[] = [
  ['baseline', 0, { [pod]: 'unconfined' }, `forbidden annotation ${pod}="unconfined"`],
  ['baseline', 18, { [of('first')]: 'odd' }, `forbidden annotation ${of('first')}="odd"`],
  [
    'restricted',
    8,
    { [pod]: '', [of('main')]: 'x' },
    `forbidden annotations ${of('main')}="x", ${pod}=""`,
  ],
  ['baseline', 0, { [pod]: 'localhost/a', [of('main')]: 'docker/default' }, ''],
  ['baseline', 0, { [of('nobody')]: 'unconfined' }, ''],
  ['baseline', 19, { [pod]: 'unconfined' }, ''],
  ['baseline', 'latest', { [of('main')]: 'unconfined' }, ''],
];

for (const [level, version, annotations, wanted] of cases) {
  test(`${level}:${version} of ${JSON.stringify(annotations)}`, () => {
    const found = findings(level, version, { annotations }, spec);
    const seccomp = found.filter(({ reason }) => reason === 'seccompProfile');
    assert.deepEqual(seccomp.map(({ detail }) => detail).join('; '), wanted);
  });
}
