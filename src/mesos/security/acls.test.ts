// What access control lists say: Mesos' own cases as tables, and any lists as a property with a twin
// that follows the two matrices of Mesos 1.11 (what matches, what is allowed) word by word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { faultCode } from '#base/fault.ts';
import { descriptors } from '#wire/mesos/v1.ts';
import { decide, decideRole, nestedLists, parseAcls, rulesOf, type Asked } from './acls.ts';
import type { Entity, Rule } from './acls.ts';

type Role = readonly [who: string | undefined, role: string | undefined, may: boolean];

/** One text, and who may register in what with it. */
const stories: readonly (readonly [string, object, readonly Role[]])[] = [
  [
    'nothing said: permissive unless told otherwise',
    {},
    [
      ['foo', 'a', true],
      [undefined, 'a', true],
    ],
  ],
  ['nothing said and not permissive', { permissive: false }, [['foo', 'a', false]]],
  [
    'only foo and bar in the analytics role, nobody else',
    {
      register_frameworks: [
        { principals: { values: ['foo', 'bar'] }, roles: { values: ['analytics'] } },
        { principals: { type: 'NONE' }, roles: { values: ['analytics'] } },
      ],
    },
    [
      ['foo', 'analytics', true],
      ['baz', 'analytics', false],
      [undefined, 'analytics', false],
      ['baz', 'web', true],
    ],
  ],
  [
    'foo in analytics only, and in no other role',
    {
      register_frameworks: [
        { principals: { values: ['foo'] }, roles: { values: ['analytics'] } },
        { principals: { values: ['foo'] }, roles: { type: 'NONE' } },
      ],
    },
    [
      ['foo', 'analytics', true],
      ['foo', 'web', false],
      ['bar', 'web', true],
    ],
  ],
  [
    'the first entry that speaks of it decides',
    {
      register_frameworks: [
        { principals: { type: 'NONE' }, roles: { type: 'ANY' } },
        { principals: { type: 'ANY' }, roles: { type: 'ANY' } },
      ],
    },
    [['foo', 'a', false]],
  ],
  [
    'a/% is what lies below a, not a itself, nor what begins alike',
    {
      permissive: false,
      register_frameworks: [{ principals: { values: ['foo'] }, roles: { values: ['a/%', 'b'] } }],
    },
    [
      ['foo', 'a/b', true],
      ['foo', 'a/b/c', true],
      ['foo', 'a', false],
      ['foo', 'ab', false],
      ['foo', 'b', true],
      ['foo', 'b/c', false],
      ['bar', 'a/b', false],
      ['foo', undefined, false],
    ],
  ],
  [
    'who has no name is ANY: entries of names do not speak of it',
    {
      permissive: false,
      register_frameworks: [
        { principals: { values: ['foo'] }, roles: { type: 'ANY' } },
        { principals: { type: 'ANY' }, roles: { values: ['open'] } },
      ],
    },
    [
      [undefined, 'open', true],
      [undefined, 'a', false],
      ['foo', 'a', true],
    ],
  ],
];

for (const [title, json, cases] of stories) {
  test(`access control lists: ${title}`, () => {
    const acls = parseAcls(JSON.stringify(json));
    const rules = rulesOf(acls, 'REGISTER_FRAMEWORK');
    for (const [who, role, may] of cases) {
      const said = decideRole(rules, who, role, acls.permissive ?? true);
      assert.equal(said, may, `${who} in ${role}`);
    }
  });
}

const any = { type: 'ANY' };
const some = { values: ['x'] };

const wrong: readonly (readonly [string, string])[] = [
  [
    '{"view_flags":[{"principals":{"type":"ANY"}}]}',
    'Missing required fields: view_flags[0].flags',
  ],
  [
    JSON.stringify({ view_flags: [{ principals: any, flags: some }] }),
    'ACL.ViewFlags type must be either NONE or ANY',
  ],
  [
    JSON.stringify({ access_mesos_logs: [{ principals: any, logs: some }] }),
    'ACL.AccessMesosLog type must be either NONE or ANY',
  ],
  [
    JSON.stringify({ register_agents: [{ principals: any, agents: some }] }),
    'ACL.RegisterAgent type must be either NONE or ANY',
  ],
  [
    JSON.stringify({ get_endpoints: [{ principals: any, paths: { values: ['/state'] } }] }),
    "Path: '/state' is not an authorizable path",
  ],
];

for (const [text, why] of wrong) {
  test(`access control lists: ${why}`, () => {
    assert.throws(
      () => parseAcls(text),
      (error) => faultCode(error) === 'bad-acls' && String(error).endsWith(why),
    );
  });
}

test('every list of the message rules an action', () => {
  const lists = (descriptors['ACLs'] ?? '').split(',').map((field) => /^\w+/.exec(field)?.[0]);
  const nested = Object.values(nestedLists).flatMap(({ user, parent }) => [user, parent]);
  const text = JSON.stringify({ permissive: false });
  const acls = parseAcls(text);
  const ruled = new Set<string>(nested);
  const watch = new Proxy(acls, {
    get(target, name) {
      ruled.add(String(name));
      return Reflect.get(target, name) as unknown;
    },
  });
  for (const action of actions) rulesOf(watch, action);
  assert.deepEqual(
    lists.filter((list) => list !== 'permissive' && !ruled.has(list ?? '')),
    [],
  );
});

const actions = [
  'REGISTER_FRAMEWORK',
  'RUN_TASK',
  'TEARDOWN_FRAMEWORK',
  'RESERVE_RESOURCES',
  'UNRESERVE_RESOURCES',
  'CREATE_VOLUME',
  'DESTROY_VOLUME',
  'RESIZE_VOLUME',
  'CREATE_BLOCK_DISK',
  'DESTROY_BLOCK_DISK',
  'CREATE_MOUNT_DISK',
  'DESTROY_MOUNT_DISK',
  'DESTROY_RAW_DISK',
  'GET_ENDPOINT_WITH_PATH',
  'VIEW_ROLE',
  'UPDATE_WEIGHT',
  'GET_QUOTA',
  'UPDATE_QUOTA',
  'VIEW_FRAMEWORK',
  'VIEW_TASK',
  'VIEW_EXECUTOR',
  'ACCESS_SANDBOX',
  'ACCESS_MESOS_LOG',
  'VIEW_FLAGS',
  'SET_LOG_LEVEL',
  'REGISTER_AGENT',
  'UPDATE_MAINTENANCE_SCHEDULE',
  'GET_MAINTENANCE_SCHEDULE',
  'START_MAINTENANCE',
  'STOP_MAINTENANCE',
  'GET_MAINTENANCE_STATUS',
  'DRAIN_AGENT',
  'DEACTIVATE_AGENT',
  'REACTIVATE_AGENT',
  'MARK_AGENT_GONE',
  'KILL_NESTED_CONTAINER',
  'WAIT_NESTED_CONTAINER',
  'REMOVE_NESTED_CONTAINER',
  'ATTACH_CONTAINER_INPUT',
  'ATTACH_CONTAINER_OUTPUT',
  'VIEW_CONTAINER',
  'LAUNCH_STANDALONE_CONTAINER',
  'KILL_STANDALONE_CONTAINER',
  'WAIT_STANDALONE_CONTAINER',
  'REMOVE_STANDALONE_CONTAINER',
  'VIEW_STANDALONE_CONTAINER',
  'MODIFY_RESOURCE_PROVIDER_CONFIG',
  'MARK_RESOURCE_PROVIDER_GONE',
  'VIEW_RESOURCE_PROVIDER',
  'PRUNE_IMAGES',
] as const;

// ---- the twin ----

type Named = { readonly type: 'SOME' | 'ANY' | 'NONE'; readonly values: readonly string[] };

const requestOf = (asked: Asked): Named =>
  asked === undefined ? { type: 'ANY', values: [] } : { type: 'SOME', values: [asked] };
const isWithin = (request: Named, acl: Named): boolean =>
  request.values.every((value) => acl.values.includes(value));

function matches(request: Named, acl: Named): boolean {
  if (request.type === 'ANY') return acl.type !== 'SOME';
  return acl.type !== 'SOME' || isWithin(request, acl);
}

function allows(request: Named, acl: Named): boolean {
  if (request.type === 'ANY') return acl.type === 'ANY';
  return acl.type === 'ANY' || (acl.type === 'SOME' && isWithin(request, acl));
}

function twin(rules: readonly Rule[], subject: Asked, object: Asked, permissive: boolean): boolean {
  for (const { subjects, objects } of rules) {
    const [who, what] = [requestOf(subject), requestOf(object)];
    if (matches(who, subjects) && matches(what, objects)) {
      return allows(who, subjects) && allows(what, objects);
    }
  }
  return permissive;
}

/** Recursive entries spelled out over the few roles that there are. */
function spelledOut(rules: readonly Rule[], roles: readonly string[]): Rule[] {
  const expand = (objects: Entity): Entity => ({
    type: objects.type,
    values: objects.values.flatMap((value) =>
      value.endsWith('/%') ? roles.filter((role) => role.startsWith(value.slice(0, -1))) : [value],
    ),
  });
  return rules.map(({ subjects, objects }) => ({ subjects, objects: expand(objects) }));
}

const names = ['foo', 'bar', ''];
const roles = ['a', 'a/b', 'a/b/c', 'ab', 'b'];

function entity(values: readonly string[]): fc.Arbitrary<Entity> {
  return fc.record({
    type: fc.constantFrom('SOME', 'SOME', 'ANY', 'NONE'),
    values: fc.uniqueArray(fc.constantFrom(...values), { maxLength: 3 }),
  }) as fc.Arbitrary<Entity>;
}

const asked = (values: readonly string[]): fc.Arbitrary<Asked> =>
  fc.constantFrom(undefined, ...values);

test('property: decisions are those of the matrices', () => {
  const rule = fc.record({ subjects: entity(names), objects: entity(roles) });
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 5 }),
      asked(names),
      asked(roles),
      fc.boolean(),
      (...all) => {
        assert.equal(decide(...all), twin(...all));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('property: recursive roles are those below', () => {
  const objects = entity([...roles, 'a/%', 'a/b/%']).filter(({ type }) => type === 'SOME');
  const entry = fc.record({ principals: entity(names), roles: objects });
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 5 }),
      asked(names),
      fc.constantFrom(...roles),
      fc.boolean(),
      (entries, who, role, permissive) => {
        const acls = parseAcls(JSON.stringify({ permissive, view_roles: entries }));
        const plain = entries.map((one): Rule => ({
          subjects: one.principals,
          objects: one.roles,
        }));
        assert.equal(
          decideRole(rulesOf(acls, 'VIEW_ROLE'), who, role, permissive),
          twin(spelledOut(plain, roles), who, role, permissive),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});
