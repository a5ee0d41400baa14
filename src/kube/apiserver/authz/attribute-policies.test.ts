// Policies of a file: how lines are read, whom they let do what, and what is wrong with them in upstream's words.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Fault } from '#base/fault.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import { AttributeAuthorizer, readPolicies } from './attribute-policies.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-policies-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'policies');

const versioned = (spec: object): object => ({
  apiVersion: 'abac.authorization.kubernetes.io/v1beta1',
  kind: 'Policy',
  spec,
});

/** Those of a file with one such line. */
function authorizerOf(...lines: readonly object[]): AttributeAuthorizer {
  writeFileSync(file, lines.map((one) => JSON.stringify(one)).join('\n'));
  return new AttributeAuthorizer(readPolicies(file));
}

interface Asked {
  readonly name?: string;
  readonly groups?: readonly string[];
  readonly verb?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly namespace?: string;
  readonly path?: string;
}

const user = ({ name = 'ann', groups = [] }: Asked) => ({ name, groups, uid: '', extra: {} });

function access(asked: Asked): AccessRequest {
  const { verb = 'get', group = '', resource = 'pods', namespace, path } = asked;
  return {
    user: user(asked),
    verb,
    isResource: path === undefined,
    group,
    resource,
    subresource: undefined,
    namespace,
    name: undefined,
    path: path ?? '',
  };
}

const all = { apiGroup: '*', resource: '*', namespace: '*' };
const known = ['system:authenticated'];

const cases: readonly (readonly [policy: object, asked: Asked, isAllowed: boolean])[] = [
  [versioned({ user: 'ann', ...all }), { verb: 'delete', namespace: 'a' }, true],
  [versioned({ user: 'ann', ...all }), { name: 'bob' }, false],
  [versioned({ user: 'ann', ...all }), { path: '/version' }, false],
  [versioned({ user: 'ann', ...all, readonly: true }), { verb: 'watch' }, true],
  [versioned({ user: 'ann', ...all, readonly: true }), { verb: 'create' }, false],
  [versioned({ group: 'g', ...all }), { groups: ['f', 'g'] }, true],
  [versioned({ group: 'g', ...all }), { groups: ['f'] }, false],
  [versioned({ user: 'ann', group: 'g', ...all }), { groups: ['f'] }, false],
  [versioned({ user: 'ann', group: 'g', ...all }), { groups: ['g'] }, true],
  [versioned(all), {}, false],
  [versioned({ user: '*', ...all }), {}, false],
  [versioned({ user: '*', ...all }), { groups: known }, true],
  [versioned({ user: 'bob', group: '*', ...all }), { groups: known }, true],
  [versioned({ user: 'ann', ...all, apiGroup: '' }), { group: 'apps' }, false],
  [versioned({ user: 'ann', ...all, apiGroup: 'apps' }), { group: 'apps' }, true],
  [versioned({ user: 'ann', ...all, resource: 'pods' }), { resource: 'services' }, false],
  [versioned({ user: 'ann', apiGroup: '*', resource: '*' }), {}, true],
  [versioned({ user: 'ann', apiGroup: '*', resource: '*' }), { namespace: 'a' }, false],
  [versioned({ user: 'ann', nonResourcePath: '*' }), { path: '/version' }, true],
  [versioned({ user: 'ann', nonResourcePath: '*' }), {}, false],
  [versioned({ user: 'ann', nonResourcePath: '/api*' }), { path: '/apis/apps' }, true],
  [versioned({ user: 'ann', nonResourcePath: '/api/*' }), { path: '/api' }, false],
  [versioned({ user: 'ann', nonResourcePath: '/api' }), { path: '/api/' }, false],
  // Of before there were versions.
  [{}, { groups: known, path: '/x', verb: 'post' }, true],
  [{}, { groups: known, group: 'apps', namespace: 'a', verb: 'create' }, true],
  [{}, {}, false],
  [{ user: 'ann' }, {}, true],
  [{ user: '*' }, { groups: known }, true],
  [{ user: 'ann', resource: 'pods' }, { path: '/x' }, false],
  [{ user: 'ann', resource: 'pods' }, { namespace: 'a' }, true],
  [{ user: 'ann', namespace: 'b' }, { namespace: 'a' }, false],
  [{ user: 'ann', readonly: true }, { verb: 'update' }, false],
  [{ kind: 'Policy', user: 'ann' }, {}, true],
  [{ apiVersion: 'abac.authorization.kubernetes.io/v0', kind: 'Policy', user: 'ann' }, {}, true],
];

for (const [policy, asked, isAllowed] of cases) {
  test(`${JSON.stringify(policy)} and ${JSON.stringify(asked)}`, () => {
    const found = authorizerOf(policy).authorize(access(asked));
    assert.deepEqual(
      found,
      isAllowed ? { kind: 'allow', reason: '' } : { kind: 'none', reason: 'No policy matched.' },
    );
  });
}

test('lines that say nothing are passed over, and rules are listed', () => {
  writeFileSync(
    file,
    [
      '# who may what',
      '',
      '  ',
      JSON.stringify(versioned({ user: 'ann', ...all, readonly: true, nonResourcePath: '/x' })),
      `${JSON.stringify(versioned({ group: 'g', apiGroup: 'apps', resource: 'a', namespace: 'b' }))}\r`,
      JSON.stringify({ user: 'bob' }),
    ].join('\n'),
  );
  const authorizer = new AttributeAuthorizer(readPolicies(file));
  const read = ['get', 'list', 'watch'];
  assert.deepEqual(authorizer.rules(user({ groups: ['g'] }), 'b'), {
    rules: [
      { verbs: read, apiGroups: ['*'], resources: ['*'] },
      { verbs: read, nonResourceURLs: ['/x'] },
      { verbs: ['*'], apiGroups: ['apps'], resources: ['a'] },
    ],
  });
  assert.deepEqual(authorizer.rules(user({ groups: ['g'] }), 'c').rules.length, 2);
});

const V = '"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy"';
const READ = "couldn't get version/kind; json parse error: ";
const HEAD =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
const field = (type: string, name: string, wanted: string): string =>
  `json: cannot unmarshal ${type} into Go struct field ${name} of type ${wanted}`;

/** As kube-apiserver v1.37.2 says it. */
const refused: readonly (readonly [line: string, why: string])[] = [
  ['garbage', `${READ}json: cannot unmarshal string into Go value of type ${HEAD}`],
  ['[1]', `${READ}json: cannot unmarshal array into Go value of type ${HEAD}`],
  ['{"user":1}', field('number', 'Policy.user', 'string')],
  ['{"readonly":"x"}', field('string', 'Policy.readonly', 'bool')],
  [`{${V},"spec":1}`, field('number', 'Policy.spec', 'v1beta1.PolicySpec')],
  [`{${V},"spec":[]}`, field('array', 'Policy.spec', 'v1beta1.PolicySpec')],
  [`{${V},"spec":{"user":1}}`, field('number', 'PolicySpec.spec.user', 'string')],
  [`{${V},"spec":{"user":true}}`, field('bool', 'PolicySpec.spec.user', 'string')],
  [`{${V},"spec":{"user":{}}}`, field('object', 'PolicySpec.spec.user', 'string')],
  [`{${V},"spec":{"readonly":"x"}}`, field('string', 'PolicySpec.spec.readonly', 'bool')],
  [`{${V},"spec":`, `${READ}unexpected end of JSON input`],
  [
    '{"apiVersion":"x/v1","kind":"Policy","user":1}',
    'no kind "Policy" is registered for version "x/v1" in scheme "pkg/runtime/scheme.go:111"',
  ],
  [
    '{"kind":"Pod","apiVersion":"abac.authorization.kubernetes.io/v1beta1"}',
    'no kind "Pod" is registered for version "abac.authorization.kubernetes.io/v1beta1" in scheme "pkg/runtime/scheme.go:111"',
  ],
  ['{"apiVersion":1}', `${READ}${field('number', '.apiVersion', 'string')}`],
];

for (const [line, why] of refused) {
  test(`refused: ${line}`, () => {
    writeFileSync(file, `\n${line}\r\n`);
    assert.throws(
      () => readPolicies(file),
      (error: Fault) => {
        assert.equal(
          error.message,
          `invalid authorization config: error reading policy file ${file}, line 2: ${line}: ${why}`,
        );
        return true;
      },
    );
  });
}

test('a line that is longer than is read, and a file that is not there', () => {
  writeFileSync(file, `# ${'x'.repeat(65_536)}`);
  const before = 'invalid authorization config: ';
  assert.throws(() => readPolicies(file), {
    message: `${before}error reading policy file ${file}: bufio.Scanner: token too long`,
  });
  const gone = join(folder, 'gone');
  assert.throws(() => readPolicies(gone), {
    message: `${before}open ${gone}: no such file or directory`,
  });
});
