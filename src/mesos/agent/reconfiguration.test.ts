// Which changes of its configuration an agent may be started with, by policy (slave_compatibility_tests
// of Mesos 1.11 ask the same).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAttributes, parseResources } from '#mesos/resources/parse.ts';
import type { AgentInfo } from '#wire/mesos/v1.ts';
import { refusedChanges } from './reconfiguration.ts';

function info(resources: string, attributes = '', more: Partial<AgentInfo> = {}): AgentInfo {
  const all = { resources: parseResources(resources), attributes: parseAttributes(attributes) };
  return { hostname: 'h', port: 5051, ...all, ...more };
}

const domain = { fault_domain: { region: { name: 'r' }, zone: { name: 'z' } } };
const base = info('cpus:4;mem:100;ports:[1-10]', 'rack:a;n:1');
const cases: readonly {
  readonly what: string;
  readonly now: AgentInfo;
  readonly equal: readonly string[];
  readonly additive: readonly string[];
}[] = [
  {
    what: 'nothing',
    now: info('mem:100;ports:[1-4,5-10];cpus:4', 'n:1;rack:a'),
    equal: [],
    additive: [],
  },
  {
    what: 'more of a resource',
    now: info('cpus:5;mem:100;ports:[1-20]', 'rack:a;n:1'),
    equal: [
      'resources changed from cpus:4; mem:100; ports:[1-10] to cpus:5; mem:100; ports:[1-20]',
    ],
    additive: [],
  },
  {
    what: 'less of a resource',
    now: info('cpus:3;mem:100;ports:[1-10]', 'rack:a;n:1'),
    equal: [
      'resources changed from cpus:4; mem:100; ports:[1-10] to cpus:3; mem:100; ports:[1-10]',
    ],
    additive: ['resource cpus:4 is not in cpus:3; mem:100; ports:[1-10]'],
  },
  {
    what: 'an attribute more',
    now: info('cpus:4;mem:100;ports:[1-10]', 'rack:a;n:1;zone:b'),
    equal: ['attributes changed from n:1;rack:a to n:1;rack:a;zone:b'],
    additive: [],
  },
  {
    what: 'an attribute less',
    now: info('cpus:4;mem:100;ports:[1-10]', 'n:1'),
    equal: ['attributes changed from n:1;rack:a to n:1'],
    additive: ['attribute rack:a is not there any more'],
  },
  {
    what: 'another value of an attribute',
    now: info('cpus:4;mem:100;ports:[1-10]', 'rack:b;n:1'),
    equal: ['attributes changed from n:1;rack:a to n:1;rack:b'],
    additive: ['attribute changed from rack:a to rack:b'],
  },
  {
    what: 'another name and port',
    now: { ...base, hostname: 'i', port: 1 },
    equal: ['hostname changed from h to i', 'port changed from 5051 to 1'],
    additive: ['hostname changed from h to i', 'port changed from 5051 to 1'],
  },
  { what: 'a domain', now: { ...base, domain }, equal: ['domain was added'], additive: [] },
];
for (const { what, now, equal, additive } of cases) {
  test(`changed: ${what}`, () => {
    assert.deepEqual(refusedChanges(base, now, 'equal'), equal);
    assert.deepEqual(refusedChanges(base, now, 'additive'), additive);
    assert.deepEqual(refusedChanges(base, now, 'any'), []);
  });
}

test('a domain stays what it was', () => {
  const old = { ...base, domain };
  assert.equal(refusedChanges(old, base, 'additive').length, 1);
});
