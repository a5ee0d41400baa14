// Validates the kinds that run the cluster itself (flow control, certificates, events, addresses,
// migrations), as kube-apiserver v1.37 does.
import {
  cidrBlock,
  inRange,
  list,
  named,
  needed,
  notNegative,
  oneOf,
  qualified,
  record,
  type Json,
} from './field-rules.ts';
import { forbidden, invalidValue, requiredValue, unsupported } from './names.ts';
import type { KubeObject } from './object.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from './status.ts';
import { certificateRules } from './validation-certificates.ts';
import { validatePodSpec } from './validation-pods.ts';

type Rule = (object: KubeObject) => StatusCause[];
type UpdateRule = (object: KubeObject, old: KubeObject) => StatusCause[];

const IMMUTABLE = 'field is immutable';

// ---- flow control ----

const PRECEDENCE_MAX = 10_000;

const validateFlowSchema: Rule = (object) => {
  const spec = record(object['spec']);
  const causes: StatusCause[] = [];
  const precedence = Number(spec['matchingPrecedence'] ?? 0);
  const field = 'spec.matchingPrecedence';
  const refuse = (why: string): void => void causes.push(invalidValue(field, precedence, why));
  if (precedence <= 0) refuse('must be a positive value');
  if (precedence > PRECEDENCE_MAX) refuse(`must not be greater than ${PRECEDENCE_MAX}`);
  if (precedence === 1 && object.metadata.name !== 'exempt') {
    refuse("only the schema named 'exempt' may have matchingPrecedence 1");
  }
  const method = spec['distinguisherMethod'];
  if (method !== undefined) {
    const types = ['ByNamespace', 'ByUser'];
    causes.push(...oneOf('spec.distinguisherMethod.type', record(method)['type'] ?? '', types));
  }
  const { name } = record(spec['priorityLevelConfiguration']);
  const at = 'spec.priorityLevelConfiguration.name';
  if (!name) causes.push(requiredValue(at, 'must reference a priority level'));
  else causes.push(...named(at, name, 'subdomain'));
  return causes;
};

function limitResponse(response: Json, at: string): StatusCause[] {
  const { type = '', queuing } = response;
  if (type === '') return [requiredValue(`${at}.type`)];
  if (type === 'Reject') {
    const why = 'must be nil if limited.limitResponse.type is not Limited';
    return queuing === undefined ? [] : [forbidden(`${at}.queuing`, why)];
  }
  if (type !== 'Queue') return [unsupported(`${at}.type`, type, ['Queue', 'Reject'])];
  if (queuing !== undefined) return [];
  const why = 'must not be empty if limited.limitResponse.type is Limited';
  return [requiredValue(`${at}.queuing`, why)];
}

function limitedLevel(limited: Json, at: string): StatusCause[] {
  const { nominalConcurrencyShares: shares = 0, lendablePercent, borrowingLimitPercent } = limited;
  const causes: StatusCause[] = [];
  if (Number(shares) < 0) {
    const why = 'must be a non-negative integer';
    causes.push(invalidValue(`${at}.nominalConcurrencyShares`, shares, why));
  }
  causes.push(...limitResponse(record(limited['limitResponse']), `${at}.limitResponse`));
  causes.push(...inRange(`${at}.lendablePercent`, lendablePercent, 0, 100));
  if (Number(borrowingLimitPercent) < 0) {
    const why = 'if specified, must be a non-negative integer';
    causes.push(invalidValue(`${at}.borrowingLimitPercent`, borrowingLimitPercent, why));
  }
  return causes;
}

const validatePriorityLevel: Rule = (object) => {
  const spec = record(object['spec']);
  const { type = '', limited, exempt } = spec;
  const causes: StatusCause[] = [];
  if ((object.metadata.name === 'exempt') !== (type === 'Exempt')) {
    const why = "must be 'Exempt' if and only if `name` is 'exempt'";
    causes.push(invalidValue('spec.type', type, why));
  }
  if (type === '') causes.push(requiredValue('spec.type'));
  else if (type === 'Limited') {
    if (exempt !== undefined) causes.push(forbidden('spec.exempt', ''));
    causes.push(
      ...(limited === undefined
        ? [requiredValue('spec.limited', 'must not be empty when type is Limited')]
        : limitedLevel(record(limited), 'spec.limited')),
    );
  } else {
    causes.push(...oneOf('spec.type', type, ['Exempt', 'Limited']));
    if (limited !== undefined) {
      causes.push({ reason: 'FieldValueForbidden', message: 'Forbidden', field: 'spec.limited' });
    }
  }
  return causes;
};

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
    causes.push(invalidValue(shown, next[field] ?? null, IMMUTABLE));
  }
  return causes;
};

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

const validateRange: Rule = (object) => {
  const blocks = list(record(object['spec'])['cidrs']);
  const field = 'spec.cidrs';
  if (blocks.length === 0) return [requiredValue(field, 'at least one CIDR required')];
  if (blocks.length > 2) {
    const why = 'may only hold up to 2 values';
    return [{ reason: 'FieldValueInvalid', message: `Too many: ${blocks.length}: ${why}`, field }];
  }
  return blocks.flatMap((block, index) => cidrBlock(`${field}[${index}]`, block));
};

const validateRangeUpdate: UpdateRule = (object, old) => {
  const blocks = (one: KubeObject): Json[] => list(record(one['spec'])['cidrs']);
  const [next, before] = [blocks(object), blocks(old)];
  const isGrown = before.length === 1 && next.length === 2;
  if (next.length !== before.length && !isGrown) {
    return [invalidValue('spec.cidrs', next, IMMUTABLE)];
  }
  return before.flatMap((block, index) =>
    block === next[index] ? [] : [invalidValue(`spec.cidrs[${index}]`, next[index], IMMUTABLE)],
  );
};

const validateMigration: Rule = (object) => {
  const { resource } = record(record(object['spec'])['resource']);
  return needed('spec.resource.resource', resource, 'resource is required to be set');
};

const validateMigrationUpdate: UpdateRule = (object, old) => {
  if (same(object['spec'], old['spec'])) return [];
  return [invalidValue('spec', { Resource: record(object['spec'])['resource'] }, IMMUTABLE)];
};

const validateRevision: Rule = (object) => [
  ...(object['data'] === undefined ? [requiredValue('data', 'data is mandatory')] : []),
  ...notNegative('revision', object['revision']),
];

const validateRevisionUpdate: UpdateRule = (object, old) =>
  same(object['data'], old['data']) ? [] : [invalidValue('data', object['data'], IMMUTABLE)];

export const clusterRules: Readonly<Record<string, Rule>> = {
  'flowcontrol.apiserver.k8s.io/FlowSchema': validateFlowSchema,
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': validatePriorityLevel,
  ...certificateRules,
  '/Event': validateEvent(false),
  'events.k8s.io/Event': validateEvent(true),
  '/PodTemplate': (object) => validatePodSpec(record(object['template'])['spec'], 'template.spec'),
  'networking.k8s.io/IPAddress': validateAddress,
  'networking.k8s.io/ServiceCIDR': validateRange,
  'storagemigration.k8s.io/StorageVersionMigration': validateMigration,
  'apps/ControllerRevision': validateRevision,
};

export const clusterUpdateRules: Readonly<Record<string, UpdateRule>> = {
  'events.k8s.io/Event': validateEventUpdate,
  'networking.k8s.io/IPAddress': validateAddressUpdate,
  'networking.k8s.io/ServiceCIDR': validateRangeUpdate,
  'storagemigration.k8s.io/StorageVersionMigration': validateMigrationUpdate,
  'apps/ControllerRevision': validateRevisionUpdate,
};
