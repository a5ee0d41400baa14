// Offer constraints, predicate by predicate, as Mesos 1.11's own tests of the filter have them, and the
// words in which bad ones are refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attribute, SchedulerAttributeConstraint } from '#wire/mesos/v1.ts';
import { compileConstraints, type ConstrainedAgent } from './constraints.ts';

const text = (name: string, value: string): Attribute => ({ name, type: 'TEXT', text: { value } });
const agents: Readonly<Record<string, ConstrainedAgent>> = {
  plain: { hostname: 'h1.example' },
  rackA: { hostname: 'h2.example', attributes: [text('rack', 'a')] },
  rackB: { hostname: 'h3.example', attributes: [text('rack', 'b')] },
  twice: { hostname: 'h4.example', attributes: [text('rack', 'b'), text('rack', 'a')] },
  number: {
    hostname: 'h5.example',
    attributes: [{ name: 'rack', type: 'SCALAR', scalar: { value: 7 } }],
  },
  far: {
    hostname: 'h6.example',
    domain: { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } },
  },
};

type Predicate = SchedulerAttributeConstraint['predicate'];
type Selector = SchedulerAttributeConstraint['selector'];

function accepted(...groups: SchedulerAttributeConstraint[][]): string[] {
  const compiled = compileConstraints({
    role_constraints: {
      r: { groups: groups.map((attribute_constraints) => ({ attribute_constraints })) },
    },
  });
  if (typeof compiled === 'string') assert.fail(compiled);
  const condition = compiled.get('r');
  return Object.entries(agents)
    .filter(([, agent]) => condition?.(agent) === true)
    .map(([name]) => name);
}

const on = (predicate: Predicate, selector: Selector = { attribute_name: 'rack' }) => ({
  selector,
  predicate,
});
const host: Selector = { pseudoattribute_type: 'HOSTNAME' };
const region: Selector = { pseudoattribute_type: 'REGION' };
const zone: Selector = { pseudoattribute_type: 'ZONE' };

const table: readonly [string, SchedulerAttributeConstraint, string[]][] = [
  ['exists', on({ exists: {} }), ['rackA', 'rackB', 'twice', 'number']],
  ['not_exists', on({ not_exists: {} }), ['plain', 'far']],
  // What is no text satisfies every condition on text; of two of a name the first one counts.
  ['text_equals', on({ text_equals: { value: 'a' } }), ['rackA', 'number']],
  [
    'text_not_equals',
    on({ text_not_equals: { value: 'a' } }),
    ['plain', 'rackB', 'twice', 'number', 'far'],
  ],
  ['text_matches', on({ text_matches: { regex: '[b-z]' } }), ['rackB', 'twice', 'number']],
  [
    'text_not_matches',
    on({ text_not_matches: { regex: '[b-z]' } }),
    ['plain', 'rackA', 'number', 'far'],
  ],
  ['the whole text must match', on({ text_matches: { regex: 'h[12]' } }, host), []],
  ['a hostname', on({ text_matches: { regex: 'h[12]\\.example' } }, host), ['plain', 'rackA']],
  ['a region', on({ text_equals: { value: 'eu' } }, region), ['far']],
  [
    'another region',
    on({ text_not_equals: { value: 'eu' } }, region),
    Object.keys(agents).slice(0, 5),
  ],
  ['a zone', on({ exists: {} }, zone), ['far']],
];

for (const [name, constraint, want] of table) {
  test(`compileConstraints(): ${name}`, () => {
    assert.deepEqual(accepted([constraint]), want);
  });
}

test('compileConstraints(): all of a group, any of the groups', () => {
  const named = on({ exists: {} });
  const second = on({ text_equals: { value: 'h3.example' } }, host);
  assert.deepEqual(accepted([named, second]), ['rackB']);
  assert.deepEqual(accepted([named, second], [on({ exists: {} }, region)]), ['rackB', 'far']);
});

test('compileConstraints(): a role that is not named is not constrained', () => {
  const compiled = compileConstraints({ role_constraints: {} });
  assert.ok(typeof compiled !== 'string');
  assert.equal(compiled.get('r'), undefined);
});

const refused: readonly [string, object, RegExp][] = [
  ['no groups', { groups: [] }, /empty 'RoleConstraints::groups' for role r/],
  ['an empty group', { groups: [{ attribute_constraints: [] }] }, /empty RoleConstraints::Group/],
  [
    'a bad pattern',
    { groups: [{ attribute_constraints: [on({ text_matches: { regex: '(' } })] }] },
    /invalid 'AttributeConstraint'/,
  ],
  ['no predicate', { groups: [{ attribute_constraints: [on({})] }] }, /Unknown predicate type/],
  ['no selector', { groups: [{ attribute_constraints: [on({ exists: {} }, {})] }] }, /must be set/],
];

for (const [name, constraints, why] of refused) {
  test(`compileConstraints() refuses ${name}`, () => {
    assert.match(String(compileConstraints({ role_constraints: { r: constraints } })), why);
  });
}
