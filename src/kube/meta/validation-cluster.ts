// Validates the kinds that run the cluster itself (flow control, certificates, events, addresses,
// migrations), as kube-apiserver v1.37 does.
import {
  isObject,
  list,
  named,
  needed,
  notNegative,
  qualified,
  record,
  type Json,
} from './field-rules.ts';
import { invalidValue, requiredValue } from './names.ts';
import { rangeOf, strictNetworkProblem } from './ip-ranges.ts';
import type { KubeObject } from './object.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from './status.ts';
import { flowControlRules } from './validation-flow-control.ts';
import { certificateRules, certificateUpdateRules } from './validation-certificates.ts';
import { validateTemplate } from './validation-workloads.ts';

type Rule = (object: KubeObject) => StatusCause[];
type UpdateRule = (object: KubeObject, old: KubeObject) => StatusCause[];

const IMMUTABLE = 'field is immutable';

// ---- events ----

const LENGTHS = { reportingInstance: 128, action: 128, reason: 128, message: 1_024 } as const;

/** What has an event time is an event of the new kind, at whichever group it comes in. */
const validateEvent = (isNew: boolean): Rule => {
  const reporter = isNew ? 'reportingController' : 'reportingComponent';
  return (object) => {
    const event = object as Json;
    const { namespace } = record(event['involvedObject'] ?? event['regarding']);
    const own = object.metadata.namespace ?? '';
    const why = 'does not match event.namespace';
    const stray = [invalidValue('involvedObject.namespace', namespace ?? '', why)];
    if (!event['eventTime']) {
      const isRight = namespace ? namespace === own : own === 'default' || own === '';
      return isRight ? [] : stray;
    }
    const isStray = !namespace && own !== 'default' && own !== 'kube-system';
    const causes = isStray ? stray : [];
    causes.push(...needed(reporter, event[reporter]), ...qualified(reporter, event[reporter]));
    for (const field of ['reportingInstance', 'action', 'reason'] as const) {
      causes.push(...needed(field, event[field]));
    }
    for (const [field, most] of Object.entries(LENGTHS)) {
      const text = String(event[field] ?? (field === 'message' ? (event['note'] ?? '') : ''));
      if (text.length <= most) continue;
      causes.push(invalidValue(field, '', `can have at most ${most} characters`));
    }
    return causes;
  };
};

function eventSeries(event: Json): StatusCause[] {
  const series = event['series'];
  if (series === undefined) return [];
  const { count = 0, lastObservedTime } = record(series);
  const causes: StatusCause[] = [];
  if (Number(count) < 2) causes.push(invalidValue('series.count', '', 'should be at least 2'));
  return [...causes, ...needed('series.lastObservedTime', lastObservedTime)];
}

const outdated = {
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
};

/** Only when it is made: the fields of the old kind have to be empty then. */
export function validateNewEvent(object: KubeObject): StatusCause[] {
  const event = object as Json;
  const causes = [...eventSeries(event), ...needed('eventTime', event['eventTime'])];
  const { type = '' } = event;
  if (type !== 'Normal' && type !== 'Warning') {
    causes.push(invalidValue('type', '', `has invalid value: ${String(type)}`));
  }
  for (const [field, shown] of Object.entries(outdated)) {
    if (event[field]) causes.push(invalidValue(shown, '', 'needs to be unset'));
  }
  const source = record(event['deprecatedSource']);
  if (source['component'] || source['host']) {
    causes.push(invalidValue('source', '', 'needs to be unset'));
  }
  return causes;
}

const fixedOfEvent = {
  regarding: 'involvedObject',
  reason: 'reason',
  note: 'message',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
  type: 'type',
  eventTime: 'eventTime',
  action: 'action',
  related: 'related',
  reportingController: 'reportingController',
  reportingInstance: 'reportingInstance',
};

const validateEventUpdate: UpdateRule = (object, old) => {
  const [next, before] = [object as Json, old as Json];
  const causes = same(next['series'], before['series']) ? [] : eventSeries(next);
  for (const [field, shown] of Object.entries(fixedOfEvent)) {
    if (same(next[field], before[field])) continue;
    causes.push(invalidValue(shown, eventShown(field, next[field]), IMMUTABLE));
  }
  return causes;
};

/** As Go writes the values of its own types. */
function eventShown(field: string, value: unknown): unknown {
  if (field === 'regarding' || (field === 'related' && value !== undefined)) {
    const { kind = '', namespace = '', name = '', uid = '' } = record(value);
    const { apiVersion = '', resourceVersion = '', fieldPath = '' } = record(value);
    return {
      Kind: kind,
      Namespace: namespace,
      Name: name,
      UID: uid,
      APIVersion: apiVersion,
      ResourceVersion: resourceVersion,
      FieldPath: fieldPath,
    };
  }
  return value ?? (field === 'related' || field === 'eventTime' ? null : '');
}

// ---- addresses, migrations, templates ----

const validateAddress: Rule = (object) => {
  const parent = record(object['spec'])['parentRef'];
  if (parent === undefined) return [requiredValue('spec.parentRef')];
  const { group, resource, name, namespace } = record(parent);
  const at = 'spec.parentRef';
  return [
    ...(group ? named(`${at}.group`, group, 'subdomain') : []),
    ...needed(`${at}.resource`, resource),
    ...needed(`${at}.name`, name),
    ...named(`${at}.resource`, resource, 'path-segment'),
    ...named(`${at}.name`, name, 'path-segment'),
    ...named(`${at}.namespace`, namespace, 'path-segment'),
  ];
};

const validateAddressUpdate: UpdateRule = (object, old) => {
  const parent = (one: KubeObject): unknown => record(one['spec'])['parentRef'];
  const isSame = same(parent(object), parent(old));
  return isSame ? [] : [invalidValue('spec.parentRef', null, IMMUTABLE)];
};

const RANGES = 'spec.cidrs';

function rangeCauses(blocks: readonly string[]): StatusCause[] {
  if (blocks.length === 0) return [requiredValue(RANGES, 'at least one CIDR required')];
  if (blocks.length > 2) {
    return [invalidValue(RANGES, { CIDRs: blocks }, 'may only hold up to 2 values')];
  }
  const causes = blocks.flatMap((block, i) => {
    const why = strictNetworkProblem(block);
    return why === undefined ? [] : [invalidValue(`${RANGES}[${i}]`, block, why)];
  });
  const families = blocks.map((block) => rangeOf(block)?.family);
  if (blocks.length < 2 || families[0] === undefined || families[0] !== families[1]) return causes;
  const example = 'i.e 192.168.0.0/24 and 2001:db8::/64';
  const why = `may specify no more than one IP for each IP family, ${example}`;
  return [...causes, invalidValue(RANGES, blocks, why)];
}

const blocksOf = (one: KubeObject): readonly string[] =>
  list(record(one['spec'])['cidrs']) as unknown as string[];

/** Of an update it is told only what may not change. */
const validateRange = (object: KubeObject, old?: KubeObject): StatusCause[] =>
  old === undefined ? rangeCauses(blocksOf(object)) : [];

/** A range gets one of the other family beside it, and no other change. */
const validateRangeUpdate: UpdateRule = (object, old) => {
  const [next, before] = [blocksOf(object), blocksOf(old)];
  const fixed = (i: number): StatusCause[] =>
    before[i] === next[i] ? [] : [invalidValue(`${RANGES}[${i}]`, next[i], IMMUTABLE)];
  if (next.length === before.length) return before.flatMap((_block, i) => fixed(i));
  if (before.length === 1 && next.length === 2) return [...fixed(0), ...rangeCauses(next)];
  return [invalidValue(RANGES, next.length === 0 ? null : next, IMMUTABLE)];
};

const validateMigration: Rule = (object) => {
  const { resource, group } = record(record(object['spec'])['resource']);
  const field = 'spec.resource.resource';
  return [
    ...(resource
      ? named(field, resource, 'label1035')
      : [requiredValue(field, 'resource is required to be set')]),
    ...named('spec.resource.group', group || undefined, 'subdomain'),
  ];
};

const validateMigrationUpdate: UpdateRule = (object, old) => {
  if (same(object['spec'], old['spec'])) return [];
  const { group = '', resource = '' } = record(record(object['spec'])['resource']);
  return [invalidValue('spec', { Resource: { group, resource } }, IMMUTABLE)];
};

const validateRevision = (object: KubeObject, old?: KubeObject): StatusCause[] => [
  ...(object['data'] === undefined && old === undefined
    ? [requiredValue('data', 'data is mandatory')]
    : []),
  ...(object['data'] === undefined || isObject(object['data'])
    ? []
    : [requiredValue('data', 'data must be a valid JSON object')]),
  ...notNegative('revision', object['revision']),
];

const validateRevisionUpdate: UpdateRule = (object, old) =>
  same(object['data'], old['data'])
    ? []
    : [invalidValue('data', object['data'] ?? null, IMMUTABLE)];

export const clusterRules: Readonly<Record<string, Rule>> = {
  ...flowControlRules,
  ...certificateRules,
  '/Event': validateEvent(false),
  'events.k8s.io/Event': validateEvent(true),
  '/PodTemplate': (object) => validateTemplate(object['template'], 'template'),
  'networking.k8s.io/IPAddress': validateAddress,
  'networking.k8s.io/ServiceCIDR': validateRange,
  'storagemigration.k8s.io/StorageVersionMigration': validateMigration,
  'apps/ControllerRevision': validateRevision,
};

export const clusterUpdateRules: Readonly<Record<string, UpdateRule>> = {
  ...certificateUpdateRules,
  'events.k8s.io/Event': validateEventUpdate,
  'networking.k8s.io/IPAddress': validateAddressUpdate,
  'networking.k8s.io/ServiceCIDR': validateRangeUpdate,
  'storagemigration.k8s.io/StorageVersionMigration': validateMigrationUpdate,
  'apps/ControllerRevision': validateRevisionUpdate,
};
