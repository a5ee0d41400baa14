// Validates claims of devices, templates and classes of them, and what is allocated to a claim, as
// kube-apiserver v1.37 does; their expressions are judged in apiserver/device-expressions.ts.
import {
  bindingConditions,
  deviceTaint,
  deviceTolerations,
  fullAttributeName,
  generatedDriver,
  generatedName,
  generatedPool,
  listOf,
  opaqueConfiguration,
  poolName,
  rawParameters,
  shareId,
  skippedOperations,
} from './device-rules.ts';
import {
  conditions,
  isObject,
  list,
  named,
  needed,
  oneOf,
  record,
  type Json,
} from './field-rules.ts';
import { shownAs } from './go-shown.ts';
import {
  forbidden,
  invalidShown,
  invalidValue,
  qualifiedNameProblems,
  requiredValue,
  tooLong,
  tooMany,
  unsupported,
  validateAnnotations,
  validateLabels,
} from './names.ts';
import { same } from '#base/same.ts';
import type { KubeObject, ObjectMeta } from './object.ts';
import type { StatusCause } from './status.ts';
import { interfaceAddress } from './interface-address.ts';
import { nodeSelector } from './validation-node-selectors.ts';
import { driverName } from './validation-remote-volumes.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];
type UpdateRule = (object: KubeObject, old: KubeObject) => StatusCause[];

const IMMUTABLE = 'field is immutable';
const ITEMS_MAX = 32;
const SUBREQUESTS_MAX = 8;

// ---- requests ----

function selectors(given: unknown, at: string): StatusCause[] {
  return listOf(given, at, {
    max: ITEMS_MAX,
    check: ({ cel }, field) => (isObject(cel) ? [] : [requiredValue(`${field}.cel`)]),
  });
}

function allocationMode({ allocationMode: mode = '', count = 0 }: Json, at: string): StatusCause[] {
  if (mode === 'All') {
    const why = "must not be specified when allocationMode is 'All'";
    return count === 0 ? [] : [invalidValue(`${at}.count`, count, why)];
  }
  if (mode !== 'ExactCount')
    return [unsupported(`${at}.allocationMode`, mode, ['All', 'ExactCount'])];
  if (Number(count) > 0) return [];
  return [invalidValue(`${at}.count`, count, 'must be greater than zero')];
}

/** Which constraints name an attribute, by the request or part of one that they are for; '' is for all. */
type Constrained = ReadonlyMap<string, ReadonlySet<string>>;

function constrainedBy(constraints: Json[]): Constrained {
  const found = new Map<string, Set<string>>();
  for (const { requests, matchAttribute, distinctAttribute } of constraints) {
    const attribute = matchAttribute ?? distinctAttribute;
    if (attribute === undefined) continue;
    const named = list(requests).map(String);
    for (const one of named.length === 0 ? [''] : named) {
      found.set(one, (found.get(one) ?? new Set()).add(String(attribute)));
    }
  }
  return found;
}

function derivedAttributes(
  given: unknown,
  at: string,
  request: string,
  constrained: Constrained,
): StatusCause[] {
  return listOf(given, at, {
    max: ITEMS_MAX,
    keyOf: ({ name }) => name,
    shown: ({ name }) => name,
    check: ({ name, expression }, field) => {
      const causes = needed(`${field}.expression`, expression);
      if (!name) return [...causes, requiredValue(`${field}.name`)];
      const [parent = ''] = request.split('/');
      const isUsed = ['', request, parent].some(
        (one) => constrained.get(one)?.has(String(name)) === true,
      );
      const why =
        'must be referenced by at least one matchAttribute or distinctAttribute constraint targeting this request';
      if (!isUsed) causes.push(invalidValue(`${field}.name`, name, why));
      return [...causes, ...fullAttributeName(`${field}.name`, name)];
    },
  });
}

/** What exact requests and the choices of others have in common. */
function wanted(one: Json, at: string, request: string, constrained: Constrained): StatusCause[] {
  return [
    ...selectors(one['selectors'], `${at}.selectors`),
    ...derivedAttributes(one['derivedAttributes'], `${at}.derivedAttributes`, request, constrained),
    ...allocationMode(one, at),
    ...deviceTolerations(one['tolerations'], `${at}.tolerations`),
  ];
}

function request(one: Json, at: string, constrained: Constrained): StatusCause[] {
  const { name = '', exactly, firstAvailable } = one;
  const causes = named(`${at}.name`, name, 'label');
  const hasChoices = list(firstAvailable).length > 0;
  const why = 'exactly one of `exactly` or `firstAvailable` is required';
  if (exactly === undefined && !hasChoices) return [...causes, requiredValue(at, why)];
  if (exactly !== undefined && hasChoices) {
    return [...causes, invalidValue(at, null, `${why}, but multiple fields are set`)];
  }
  if (hasChoices) {
    const choices = listOf(firstAvailable, `${at}.firstAvailable`, {
      max: SUBREQUESTS_MAX,
      keyOf: (choice) => choice['name'],
      check: (choice, field) => {
        const { name: own = '', deviceClassName: className } = choice;
        return [
          ...named(`${field}.name`, own, 'label'),
          ...(className
            ? generatedName(`${field}.deviceClassName`, className, 'subdomain')
            : [requiredValue(`${field}.deviceClassName`)]),
          ...wanted(choice, field, `${String(name)}/${String(own)}`, constrained),
        ];
      },
    });
    return [...causes, ...choices];
  }
  const exact = record(exactly);
  const field = `${at}.exactly`;
  const { deviceClassName: className } = exact;
  return [
    ...causes,
    ...(className
      ? named(`${field}.deviceClassName`, className, 'subdomain')
      : [requiredValue(`${field}.deviceClassName`)]),
    ...wanted(exact, field, String(name), constrained),
  ];
}

/** Names of requests, with those of their choices. */
type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

function namesOf(devices: Json): RequestNames {
  return new Map(
    list(devices['requests']).map(({ name = '', firstAvailable }) => [
      String(name),
      new Set(list(firstAvailable).map((one) => String(one['name'] ?? ''))),
    ]),
  );
}

const reference =
  (names: RequestNames) =>
  (field: string, value: unknown): StatusCause[] => {
    const text = String(value ?? '');
    const why =
      "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
    const parts = text.split('/');
    if (parts.length > 2) return [invalidValue(field, text, why)];
    const causes = parts.flatMap((part) => named(field, part, 'label'));
    const [first = '', second] = parts;
    const choices = names.get(first);
    const isThere = choices !== undefined && (second === undefined || choices.has(second));
    return isThere ? causes : [...causes, invalidValue(field, text, why)];
  };

function references(given: unknown, at: string, names: RequestNames): StatusCause[] {
  return listOf(given, at, {
    max: ITEMS_MAX,
    keyOf: (name) => name,
    check: (name, field) => reference(names)(field, name),
  });
}

function constraint(one: Json, at: string, names: RequestNames): StatusCause[] {
  const { requests, matchAttribute: match, distinctAttribute: distinct } = one;
  const causes = references(requests, `${at}.requests`, names);
  if (match !== undefined) causes.push(...fullAttributeName(`${at}.matchAttribute`, match));
  if (distinct !== undefined) {
    causes.push(...fullAttributeName(`${at}.distinctAttribute`, distinct));
  }
  if (match !== undefined || distinct !== undefined) return causes;
  const why =
    'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
  return [...causes, requiredValue(at, why)];
}

function deviceClaim(given: unknown, at: string): StatusCause[] {
  const devices = record(given);
  const names = namesOf(devices);
  const constrained = constrainedBy(list(devices['constraints']));
  return [
    ...listOf(devices['requests'], `${at}.requests`, {
      max: ITEMS_MAX,
      keyOf: ({ name }) => name,
      check: (one, field) => request(one, field, constrained),
    }),
    ...listOf(devices['constraints'], `${at}.constraints`, {
      max: ITEMS_MAX,
      check: (one, field) => constraint(one, field, names),
    }),
    ...listOf(devices['config'], `${at}.config`, {
      max: ITEMS_MAX,
      check: (one, field) => [
        ...references(one['requests'], `${field}.requests`, names),
        ...opaqueConfiguration(one, field),
      ],
    }),
  ];
}

/** What cannot change is not judged again. */
const validateClaim: Rule = (object, old) =>
  old === undefined ? deviceClaim(record(object['spec'])['devices'], 'spec.devices') : [];

const validateTemplate: Rule = (object) => {
  const { metadata, spec } = record(object['spec']);
  const { labels, annotations } = record(metadata) as ObjectMeta;
  return [
    ...validateLabels(labels, 'spec.metadata.labels'),
    ...validateAnnotations(annotations, 'spec.metadata.annotations'),
    ...deviceClaim(record(spec)['devices'], 'spec.spec.devices'),
  ];
};

// ---- classes ----

const DEFAULT_DOMAIN = 'kubernetes.io/';
const REQUESTS = 'requests.';

function extendedResource(field: string, value: unknown): StatusCause[] {
  if (value === undefined) return [];
  const name = String(value);
  const causes: StatusCause[] = [];
  const refuse = (why: string): void => void causes.push(invalidValue(field, name, why));
  if (!name.includes('/')) {
    refuse("a name must be a domain-prefixed path, such as 'example.com/my-prop'");
  } else if (name.includes(DEFAULT_DOMAIN)) refuse(`must not have "${DEFAULT_DOMAIN}" domain`);
  if (name.startsWith(REQUESTS)) refuse(`must not have "${REQUESTS}" prefix`);
  for (const wrong of qualifiedNameProblems(REQUESTS + name)) refuse(wrong);
  return causes;
}

const validateClass: Rule = (object) => {
  const spec = record(object['spec']);
  return [
    ...selectors(spec['selectors'], 'spec.selectors'),
    ...listOf(spec['config'], 'spec.config', { max: ITEMS_MAX, check: opaqueConfiguration }),
    ...extendedResource('spec.extendedResourceName', spec['extendedResourceName']),
  ];
};

const validateTaintRule: Rule = (object) => {
  const spec = record(object['spec']);
  const { driver, pool, device } = record(spec['deviceSelector']);
  const at = 'spec.deviceSelector';
  return [
    ...deviceTaint(record(spec['taint']), 'spec.taint'),
    ...(driver === undefined ? [] : driverName(`${at}.driver`, driver)),
    ...(pool === undefined ? [] : poolName(`${at}.pool`, pool)),
    ...named(`${at}.device`, device, 'label'),
  ];
};

// ---- what is allocated ----

const RESERVED_MAX = 256;
const CONDITIONS_MAX = 8;
const ADDRESSES_MAX = 16;
const INTERFACE_LENGTH_MAX = 256;
const HARDWARE_LENGTH_MAX = 128;

const idOf = ({ driver = '', pool = '', device = '', shareID = '' }: Json): Json => ({
  Driver: driver,
  Pool: pool,
  Device: device,
  ShareID: shareID,
});
const keyOf = (device: Json): string => JSON.stringify(idOf(device));

function networkData(given: unknown, at: string): StatusCause[] {
  const { interfaceName = '', hardwareAddress = '', ips } = record(given);
  const causes: StatusCause[] = [];
  const limit = (name: string, value: unknown, max: number): void => {
    if (Buffer.byteLength(String(value)) > max) causes.push(tooLong(`${at}.${name}`, max));
  };
  limit('interfaceName', interfaceName, INTERFACE_LENGTH_MAX);
  limit('hardwareAddress', hardwareAddress, HARDWARE_LENGTH_MAX);
  const addresses = listOf(ips, `${at}.ips`, {
    max: ADDRESSES_MAX,
    keyOf: (address) => address,
    check: (address, field) => interfaceAddress(field, String(address)),
  });
  return [...causes, ...addresses];
}

function deviceStatus(one: Json, at: string, allocated: ReadonlySet<string>): StatusCause[] {
  const { driver, pool, device = '', data } = one;
  const causes = [
    ...driverName(`${at}.driver`, driver),
    ...poolName(`${at}.pool`, pool),
    ...named(`${at}.device`, device, 'label'),
    ...shareId(`${at}.shareID`, one['shareID']),
  ];
  if (!allocated.has(keyOf(one))) {
    causes.push(invalidValue(at, idOf(one), 'must be an allocated device in the claim'));
  }
  const field = `${at}.conditions`;
  const count = list(one['conditions']).length;
  if (count > CONDITIONS_MAX) causes.push(tooMany(field, count, CONDITIONS_MAX));
  causes.push(...conditions(one['conditions'], field));
  if (data !== undefined) causes.push(...rawParameters(data, `${at}.data`));
  return [...causes, ...networkData(one['networkData'], `${at}.networkData`)];
}

function allocationResult(one: Json, at: string, names: RequestNames): StatusCause[] {
  return [
    ...reference(names)(`${at}.request`, one['request']),
    ...generatedDriver(`${at}.driver`, one['driver']),
    ...generatedPool(`${at}.pool`, one['pool']),
    ...named(`${at}.device`, one['device'] ?? '', 'label'),
    ...bindingConditions(one, at),
    ...deviceTolerations(one['tolerations'], `${at}.tolerations`),
    ...shareId(`${at}.shareID`, one['shareID']),
    ...skippedOperations(one['skipNodeOperations'], `${at}.skipNodeOperations`),
  ];
}

const sources = ['FromClaim', 'FromClass'];

function allocation(given: Json, at: string, names: RequestNames): StatusCause[] {
  const { devices, nodeSelector: selector } = given;
  const { results, config } = record(devices);
  return [
    ...listOf(results, `${at}.devices.results`, {
      max: ITEMS_MAX,
      check: (one, field) => allocationResult(one, field, names),
    }),
    ...listOf(config, `${at}.devices.config`, {
      max: 2 * ITEMS_MAX,
      check: (one, field) => {
        const { source = '' } = one;
        return [
          ...(source === ''
            ? [requiredValue(`${field}.source`)]
            : oneOf(`${field}.source`, source, sources)),
          ...references(one['requests'], `${field}.requests`, names),
          ...opaqueConfiguration(one, field),
        ];
      },
    }),
    ...(selector === undefined ? [] : nodeSelector(selector, `${at}.nodeSelector`)),
  ];
}

function reservations(status: Json, object: KubeObject, before: Json): StatusCause[] {
  const field = 'status.reservedFor';
  const causes = listOf(status['reservedFor'], field, {
    max: RESERVED_MAX,
    keyOf: ({ uid }) => uid,
    check: (one, at) =>
      ['resource', 'name', 'uid'].flatMap((name) => needed(`${at}.${name}`, one[name])),
  });
  const all = list(status['reservedFor']);
  if (all.length === 0) return causes;
  if (status['allocation'] === undefined) {
    return [...causes, forbidden(field, 'may not be specified when `allocated` is not set')];
  }
  const known = list(before['reservedFor']);
  const isNew = all.some((one) => !known.some((other) => same(one, other)));
  if (object.metadata.deletionTimestamp === undefined || !isNew) return causes;
  const why =
    'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
  return [...causes, forbidden(field, why)];
}

export function validateClaimStatus(
  status: Json,
  object: KubeObject,
  old: KubeObject,
): StatusCause[] {
  const before = record(old['status']);
  const { allocation: given, devices } = status;
  const names = namesOf(record(record(object['spec'])['devices']));
  const results = list(record(record(given)['devices'])['results']);
  const allocated = new Set(results.map(keyOf));
  const causes = [
    ...reservations(status, object, before),
    ...listOf(devices, 'status.devices', {
      keyOf,
      check: (one, at) => deviceStatus(one, at, allocated),
    }),
  ];
  const field = 'status.allocation';
  if (given === undefined) return causes;
  if (before['allocation'] === undefined) {
    return [...causes, ...allocation(record(given), field, names)];
  }
  if (same(given, before['allocation'])) return causes;
  return [...causes, invalidValue(field, null, 'field cannot be modified once set')];
}

// ---- all ----

const hiddenSpec: UpdateRule = (object, old) =>
  same(object['spec'], old['spec']) ? [] : [invalidValue('spec', null, IMMUTABLE)];

const shownSpec: UpdateRule = (object, old) =>
  same(object['spec'], old['spec'])
    ? []
    : [invalidShown('spec', shownAs('@ResourceClaimTemplateSpec', object['spec']), IMMUTABLE)];

export const deviceClaimRules: Readonly<Record<string, Rule>> = {
  'resource.k8s.io/DeviceTaintRule': validateTaintRule,
  'resource.k8s.io/DeviceClass': validateClass,
  'resource.k8s.io/ResourceClaim': validateClaim,
  'resource.k8s.io/ResourceClaimTemplate': validateTemplate,
};

export const deviceClaimUpdateRules: Readonly<Record<string, UpdateRule>> = {
  'resource.k8s.io/ResourceClaim': hiddenSpec,
  'resource.k8s.io/ResourceClaimTemplate': shownSpec,
};
