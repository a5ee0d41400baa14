// Validates what drivers publish of their devices (attributes, capacities and how they are divided,
// counters, where a device can be reached), as kube-apiserver v1.37 does.
import {
  attributeName,
  bindingConditions,
  deviceTaint,
  fullAttributeName,
  generatedName,
  listOf,
  poolName,
  skippedOperations,
} from './device-rules.ts';
import { divisionCauses } from './device-capacities.ts';
import { isObject, list, named, record, type Json } from './field-rules.ts';
import { forbidden, invalidValue, requiredValue, tooLong, tooMany } from './names.ts';
import { same } from '#base/same.ts';
import type { KubeObject } from './object.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { nodeSelector } from './validation-node-selectors.ts';
import { driverName } from './validation-remote-volumes.ts';

const IMMUTABLE = 'field is immutable';
const DEVICES_MAX = 128;
/** Of which some have taints, use counters or have lists of values. */
const RICH_DEVICES_MAX = 64;
const COUNTER_SETS_MAX = 8;
const COUNTERS_MAX = 32;
const CONSUMPTIONS_MAX = 2;
const GROUPS_MAX = 2;
const TAINTS_MAX = 16;
const NAMES_MAX = 32;
const VALUES_MAX = 48;
const TEXT_LENGTH_MAX = 64;

// ---- where devices are ----

const ONLY_TRUE = 'must be either unset or set to true';
const quoted = (names: readonly string[]): string[] => names.map((name) => `\`${name}\``);

interface Places {
  readonly set: readonly string[];
  readonly causes: StatusCause[];
}

/** Which of the ways to say where devices are is used, and whether each is right. */
function placesOf(given: Json, at: string, emptyName: string): Places {
  const { nodeName, nodeSelector: selector } = given;
  const set: string[] = [];
  const causes: StatusCause[] = [];
  if (nodeName === '') causes.push(invalidValue(`${at}.nodeName`, '', emptyName));
  else if (nodeName !== undefined) {
    set.push('nodeName');
    causes.push(...named(`${at}.nodeName`, nodeName, 'subdomain'));
  }
  if (selector !== undefined) {
    set.push('nodeSelector');
    causes.push(...nodeSelector(selector, `${at}.nodeSelector`));
  }
  for (const name of ['allNodes', 'perDeviceNodeSelection']) {
    if (given[name] === true) set.push(name);
    else if (given[name] === false) causes.push(invalidValue(`${at}.${name}`, false, ONLY_TRUE));
  }
  return { set, causes };
}

function slicePlace(spec: Json): StatusCause[] {
  const { set, causes } = placesOf(
    spec,
    'spec',
    'must be either unset or set to a non-empty string',
  );
  const { nodeSelectorTerms: terms } = record(spec['nodeSelector']);
  if (spec['nodeSelector'] !== undefined && list(terms).length !== 1) {
    const field = 'spec.nodeSelector.nodeSelectorTerms';
    causes.push(invalidValue(field, termsShown(terms), 'must have exactly one node selector term'));
  }
  const ways = quoted(['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection']);
  const why = `exactly one of ${ways.join(', ')} is required`;
  if (set.length === 0) causes.push(requiredValue('spec', why));
  if (set.length > 1) {
    const shown = `{${quoted(set).join(', ')}}`;
    causes.push(invalidValue('spec', shown, `${why}, but multiple fields are set`));
  }
  return causes;
}

/** As the type within the server names the fields. */
function termsShown(terms: unknown): unknown {
  if (!Array.isArray(terms)) return terms ?? null;
  const requirements = (all: unknown): unknown =>
    Array.isArray(all)
      ? list(all).map(({ key = '', operator = '', values = null }) => ({
          Key: key,
          Operator: operator,
          Values: values,
        }))
      : null;
  return list(terms).map(({ matchExpressions, matchFields }) => ({
    MatchExpressions: requirements(matchExpressions),
    MatchFields: requirements(matchFields),
  }));
}

function devicePlace(device: Json, at: string, isPerDevice: boolean): StatusCause[] {
  const { nodeName, nodeSelector: selector, allNodes } = device;
  if (!isPerDevice) {
    if (nodeName === undefined && selector === undefined && allNodes === undefined) return [];
    const why =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    return [invalidValue(at, null, why)];
  }
  const own = { nodeName, nodeSelector: selector, allNodes };
  const { set, causes } = placesOf(own, at, 'must not be empty');
  const why =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (set.length === 0) causes.push(requiredValue(at, why));
  if (set.length > 1) causes.push(invalidValue(at, `{${quoted(set).join(', ')}}`, why));
  return causes;
}

// ---- attributes ----

const kinds = ['int', 'bool', 'string', 'version', 'ints', 'bools', 'strings', 'versions'] as const;
const lists = ['ints', 'bools', 'strings', 'versions'] as const;

const NUMBER = '(?:0|[1-9]\\d*)';
const PRE_RELEASE = '(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const BUILD = '[0-9a-zA-Z-]+';
const SEMVER = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${PRE_RELEASE}(?:\\.${PRE_RELEASE})*)?(?:\\+${BUILD}(?:\\.${BUILD})*)?$`,
);

function textValue(field: string, value: unknown): StatusCause[] {
  const size = Buffer.byteLength(String(value));
  return size > TEXT_LENGTH_MAX ? [tooLong(field, TEXT_LENGTH_MAX)] : [];
}

function versionValue(field: string, value: unknown): StatusCause[] {
  const why = 'must be a string compatible with semver.org spec 2.0.0';
  const wrong = SEMVER.test(String(value)) ? [] : [invalidValue(field, value, why)];
  return [...wrong, ...textValue(field, value)];
}

function attribute(value: Json, at: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (value['string'] !== undefined) causes.push(...textValue(`${at}.string`, value['string']));
  if (value['version'] !== undefined)
    causes.push(...versionValue(`${at}.version`, value['version']));
  for (const name of lists) {
    const field = `${at}.${name}`;
    const all = list(value[name]) as unknown[];
    if (value[name] !== undefined && all.length === 0) {
      causes.push(invalidValue(field, [], 'must not be empty if specified'));
    }
    all.forEach((one, index) => {
      const where = `${field}[${index}]`;
      if (name === 'strings') causes.push(...textValue(where, one));
      if (name === 'versions') causes.push(...versionValue(where, one));
    });
  }
  const set = kinds.filter((name) => value[name] !== undefined);
  const names = quoted(kinds).join(', ');
  if (set.length === 0) causes.push(invalidValue(at, '', `must specify one of: ${names}`));
  if (set.length > 1) {
    const shown = `{${set.join(', ')}}`;
    causes.push(invalidValue(at, shown, `must specify exactly one of: ${names}`));
  }
  return causes;
}

/** Long keys are cut in their middle where they stand in a path. */
function keyShown(key: string, max: number): string {
  if (key.length <= max) return key;
  const rest = max - 3;
  return `${key.slice(0, Math.floor((rest + 1) / 2))}...${key.slice(key.length - Math.floor(rest / 2))}`;
}

const ATTRIBUTE_KEY_MAX = 63 + 1 + 32;
const COUNTER_KEY_MAX = 63;

function mapOf(
  given: unknown,
  at: string,
  {
    max,
    keyMax,
    key,
    value,
  }: {
    readonly max?: number;
    readonly keyMax: number;
    readonly key: (field: string, name: string) => StatusCause[];
    readonly value: (value: Json, at: string) => StatusCause[];
  },
): StatusCause[] {
  const entries = Object.entries(record(given));
  if (max !== undefined && entries.length > max) return [tooMany(at, entries.length, max)];
  return entries.flatMap(([name, one]) => [
    ...key(at, name),
    ...value(record(one), `${at}[${keyShown(name, keyMax)}]`),
  ]);
}

function attributeCounts(device: Json, at: string): StatusCause[] {
  const { attributes, capacity } = device;
  const values = Object.values(record(attributes)).map((one) => {
    const count = lists.reduce((sum, name) => sum + list(record(one)[name]).length, 0);
    return Math.max(1, count);
  });
  const names = values.length + Object.keys(record(capacity)).length;
  const count = values.reduce((sum, one) => sum + one, 0);
  const limit = (what: string, most: number): string =>
    `the total number of ${what} must not exceed ${most}`;
  const why = limit('attributes and capacities', NAMES_MAX);
  const causes = names > NAMES_MAX ? [invalidValue(at, names, why)] : [];
  if (count <= VALUES_MAX) return causes;
  return [...causes, invalidValue(at, count, limit('attribute values', VALUES_MAX))];
}

// ---- counters ----

const anything = (): StatusCause[] => [];

function counters(given: unknown, at: string): StatusCause[] {
  if (Object.keys(record(given)).length === 0) return [requiredValue(at)];
  return mapOf(given, at, {
    max: COUNTERS_MAX,
    keyMax: COUNTER_KEY_MAX,
    key: (field, name) => generatedName(field, name, 'label'),
    value: anything,
  });
}

function counterName(field: string, name: unknown): StatusCause[] {
  return name ? generatedName(field, name, 'label') : [requiredValue(field)];
}

function consumption(one: Json, at: string): StatusCause[] {
  const field = `${at}.compatibilityGroups`;
  return [
    ...counterName(`${at}.counterSet`, one['counterSet']),
    ...counters(one['counters'], `${at}.counters`),
    ...listOf(one['compatibilityGroups'], field, {
      max: GROUPS_MAX,
      keyOf: (name) => name,
      check: (name, where) => generatedName(where, name, 'label'),
    }),
  ];
}

/** Upstream judges them one after the other; what a node gives is named by its resources. */
const nodeResources = /^(?:cpu|memory|ephemeral-storage|hugepages-.+)$/;

function nodeAllocatable(device: Json, at: string): StatusCause[] {
  const { nodeAllocatableResources: given, capacity } = device;
  return Object.entries(record(given)).flatMap(([name, one]) => {
    const field = `${at}.nodeAllocatableResources[${name}]`;
    const { mapping, overhead } = record(one);
    const causes: StatusCause[] = [];
    if (!nodeResources.test(name)) {
      causes.push(invalidValue(field, name, 'must be a node allocatable resource name'));
    }
    if (mapping === undefined && overhead === undefined) {
      causes.push(requiredValue(field, 'at least one of mapping or overhead must be set'));
    }
    if (isObject(mapping)) causes.push(...nodeMapping(mapping, `${field}.mapping`, capacity));
    if (isObject(overhead)) causes.push(...nodeOverhead(overhead, `${field}.overhead`));
    return causes;
  });
}

function nodeMapping(mapping: Json, at: string, capacity: unknown): StatusCause[] {
  const { capacityKey: key, capacityMultiplier: factor, deviceMultiplier: each } = mapping;
  const causes: StatusCause[] = [];
  const positive = (name: string, value: unknown): void => {
    if (value === undefined || compareQuantities(value, '0') > 0) return;
    causes.push(invalidValue(`${at}.${name}`, String(value), 'must be positive'));
  };
  if (key !== undefined) {
    const field = `${at}.capacityKey`;
    if (key === '') causes.push(invalidValue(field, '', 'capacityKey must not be an empty string'));
    else if (!Object.hasOwn(record(capacity), String(key))) {
      const message = `Not found: ${JSON.stringify(key)}`;
      causes.push({ reason: 'FieldValueNotFound', message, field });
    }
    positive('capacityMultiplier', factor);
  }
  positive('deviceMultiplier', each);
  const needs = (name: string, other: string): StatusCause =>
    requiredValue(`${at}.${name}`, `${name} is required when ${other} is set`);
  if (key !== undefined && factor === undefined)
    causes.push(needs('capacityMultiplier', 'capacityKey'));
  if (key === undefined && factor !== undefined)
    causes.push(needs('capacityKey', 'capacityMultiplier'));
  return causes;
}

function nodeOverhead(overhead: Json, at: string): StatusCause[] {
  const parts = ['perPod', 'perContainer'].filter((name) => overhead[name] !== undefined);
  if (parts.length === 0) {
    return [invalidValue(at, '', 'at least one of perPod or perContainer must be set')];
  }
  return parts.flatMap((name) =>
    compareQuantities(overhead[name], '0') >= 0
      ? []
      : [invalidValue(`${at}.${name}`, String(overhead[name]), 'must be non-negative')],
  );
}

// ---- devices ----

function capacities(device: Json, at: string): StatusCause[] {
  const isShared = device['allowMultipleAllocations'] === true;
  return mapOf(device['capacity'], `${at}.capacity`, {
    keyMax: ATTRIBUTE_KEY_MAX,
    key: attributeName,
    value: (capacity, field) => {
      const { requestPolicy: policy, value = '0' } = capacity;
      if (!isObject(policy)) return [];
      const where = `${field}.requestPolicy`;
      if (!isShared) return [forbidden(where, 'allowMultipleAllocations must be true')];
      return divisionCauses(String(value), policy, where);
    },
  });
}

function validateDevice(
  device: Json,
  at: string,
  spec: Json,
  old: Json | undefined,
): StatusCause[] {
  const keeps = (name: string): boolean => old !== undefined && same(old[name], device[name]);
  return [
    ...named(`${at}.name`, device['name'] ?? '', 'label'),
    ...attributeCounts(device, at),
    ...mapOf(device['attributes'], `${at}.attributes`, {
      keyMax: ATTRIBUTE_KEY_MAX,
      key: attributeName,
      value: attribute,
    }),
    ...(keeps('capacity') ? [] : capacities(device, at)),
    ...(keeps('taints')
      ? []
      : listOf(device['taints'], `${at}.taints`, { max: TAINTS_MAX, check: deviceTaint })),
    ...listOf(device['consumesCounters'], `${at}.consumesCounters`, {
      max: CONSUMPTIONS_MAX,
      keyOf: ({ counterSet }) => counterSet,
      check: consumption,
    }),
    ...devicePlace(device, at, spec['perDeviceNodeSelection'] === true),
    ...bindingConditions(device, at),
    ...nodeAllocatable(device, at),
  ];
}

function isRich(device: Json): boolean {
  const hasLists = Object.values(record(device['attributes'])).some((one) =>
    lists.some((name) => record(one)[name] !== undefined),
  );
  return hasLists || list(device['taints']).length > 0 || usesCounters(device);
}

const usesCounters = (device: Json): boolean => list(device['consumesCounters']).length > 0;

/** Each device that uses counters says in the attribute what kind of part it is. */
function partitionTypes(spec: Json): StatusCause[] {
  const { partitionTypeAttribute: name, devices, driver = '' } = spec;
  if (name === undefined) return [];
  const field = 'spec.partitionTypeAttribute';
  const wrong = fullAttributeName(field, name);
  if (!list(devices).some(usesCounters)) {
    const why = 'may only be set on a slice which declares devices that consume counters';
    return [...wrong, invalidValue(field, name, why)];
  }
  if (wrong.length > 0) return wrong;
  const full = String(name);
  const own = `${String(driver)}/`;
  const bare = full.startsWith(own) ? full.slice(own.length) : full;
  return list(devices).flatMap((device, index) => {
    if (!usesCounters(device)) return [];
    const at = `spec.devices[${index}].attributes[${full}]`;
    const attributes = record(device['attributes']);
    const value = attributes[full] ?? attributes[bare];
    if (value === undefined) {
      const why =
        'device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set';
      return [requiredValue(at, why)];
    }
    if (record(value)['string'] !== undefined) return [];
    const why = 'must be a string value because `partitionTypeAttribute` names this attribute';
    return [invalidValue(at, value, why)];
  });
}

function poolCauses(pool: Json): StatusCause[] {
  const { name, resourceSliceCount: count = 0, generation = 0 } = pool;
  const causes = poolName('spec.pool.name', name);
  if (Number(count) <= 0) {
    causes.push(invalidValue('spec.pool.resourceSliceCount', count, 'must be greater than zero'));
  }
  if (Number(generation) >= 0) return causes;
  const why = 'must be greater than or equal to zero';
  return [...causes, invalidValue('spec.pool.generation', generation, why)];
}

export function validateSlice(object: KubeObject, old?: KubeObject): StatusCause[] {
  const spec = record(object['spec']);
  const { devices, sharedCounters } = spec;
  const before = new Map(list(record(old?.['spec'])['devices']).map((one) => [one['name'], one]));
  const both = sharedCounters !== undefined && devices !== undefined;
  return [
    ...driverName('spec.driver', spec['driver']),
    ...poolCauses(record(spec['pool'])),
    ...slicePlace(spec),
    ...(both
      ? [invalidValue('spec', '', 'only one of `sharedCounters` or `devices` is allowed')]
      : []),
    ...listOf(devices, 'spec.devices', {
      max: list(devices).some(isRich) ? RICH_DEVICES_MAX : DEVICES_MAX,
      keyOf: ({ name }) => name,
      shown: ({ name = '' }) => name,
      check: (device, at) => validateDevice(device, at, spec, before.get(device['name'])),
    }),
    ...listOf(sharedCounters, 'spec.sharedCounters', {
      max: COUNTER_SETS_MAX,
      keyOf: ({ name }) => name,
      check: (one, at) => [
        ...counterName(`${at}.name`, one['name']),
        ...counters(one['counters'], `${at}.counters`),
      ],
    }),
    ...partitionTypes(spec),
    ...skippedOperations(spec['skipNodeOperations'], 'spec.skipNodeOperations'),
  ];
}

export function validateSliceUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const causes: StatusCause[] = [];
  const [pool, was] = [record(spec['pool'])['name'], record(before['pool'])['name']];
  if (pool !== was) causes.push(invalidValue('spec.pool.name', pool ?? '', IMMUTABLE));
  const { driver = '', nodeName = null } = spec;
  if (driver !== (before['driver'] ?? ''))
    causes.push(invalidValue('spec.driver', driver, IMMUTABLE));
  if (nodeName !== (before['nodeName'] ?? null)) {
    causes.push(invalidValue('spec.nodeName', nodeName, IMMUTABLE));
  }
  return causes;
}
