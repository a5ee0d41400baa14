// Who owns which field of objects that are written in several versions: autoscalers, and custom resources whose
// definition gains, loses and no longer serves versions while their objects live.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

const space = 'versions';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const GROUP = 'steps.example.com';
const DEFINITION = `${DEFINITIONS}/changers.${GROUP}`;

const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' };

function scalers(): Step[] {
  const [v1, v2] = ['v1', 'v2'].map(
    (version) => `${below(`autoscaling/${version}`, space)}/horizontalpodautoscalers`,
  );
  const applied = (version: string, spec: Json): Json => ({
    apiVersion: `autoscaling/${version}`,
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a' },
    spec: { scaleTargetRef, maxReplicas: 5, ...spec },
  });
  const cpu = (averageUtilization: number): Json => ({
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
  });
  const apply = (name: string, version: string, spec: Json, more = 'fieldManager=one'): Step =>
    patch(name, `${version === 'v1' ? v1 : v2}/a?${more}`, applied(version, spec), 'apply');
  return [
    apply('scaler: applied by the new', 'v2', { metrics: [cpu(60)] }),
    apply('scaler: another by the old', 'v1', { minReplicas: 2 }, 'fieldManager=two'),
    apply(
      'scaler: conflict of metrics',
      'v1',
      { targetCPUUtilizationPercentage: 70 },
      'fieldManager=two',
    ),
    apply(
      'scaler: conflict of metrics, forced',
      'v1',
      { targetCPUUtilizationPercentage: 70 },
      'fieldManager=two&force=true',
    ),
    apply('scaler: one by the old', 'v1', { minReplicas: 3 }, 'fieldManager=one&force=true'),
    apply('scaler: one by the new again', 'v2', { maxReplicas: 6 }, 'fieldManager=one&force=true'),
    patch('scaler: updated by the old', `${v1}/a?fieldManager=three`, { spec: { minReplicas: 1 } }),
    patch('scaler: updated by the new', `${v2}/a?fieldManager=three`, { spec: { maxReplicas: 9 } }),
    patch('scaler: metrics by the new', `${v2}/a?fieldManager=four`, {
      spec: { metrics: [cpu(50)] },
    }),
    patch('scaler: metrics by the old', `${v1}/a?fieldManager=five`, {
      spec: { targetCPUUtilizationPercentage: 40 },
    }),
    patch('scaler: none by the old', `${v1}/a?fieldManager=six`, {
      spec: { targetCPUUtilizationPercentage: null },
    }),
    apply('scaler: two leaves all', 'v1', {}, 'fieldManager=two&force=true'),
    apply('scaler: two leaves all by the new', 'v2', {}, 'fieldManager=two&force=true'),
    get('scaler: seen by the old', `${v1}/a`),
    get('scaler: seen by the new', `${v2}/a`),
    patch('scaler: odd version of a manager', `${v2}/a`, {
      metadata: {
        managedFields: [
          {
            apiVersion: 'autoscaling/v2beta9',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:minReplicas': {} } },
            manager: 'gone',
            operation: 'Update',
          },
          {
            apiVersion: 'autoscaling/v1',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:maxReplicas': {} } },
            manager: 'there',
            operation: 'Apply',
          },
        ],
      },
    }),
    patch('scaler: after the odd version', `${v2}/a`, { spec: { minReplicas: 7 } }),
    patch('scaler: after the odd version, other field', `${v2}/a`, { spec: { maxReplicas: 17 } }),
  ];
}

const text = { type: 'string' };
const schemas: Readonly<Record<string, Json>> = {
  v1: { a: text, b: text, list: { type: 'array', items: text } },
  v2: {
    a: text,
    b: text,
    c: text,
    list: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
  },
  v3: { a: { type: 'integer' }, c: text },
};

const version = (name: string, more: Json = {}): Json => ({
  name,
  served: true,
  storage: false,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: schemas[name] },
        status: { type: 'object', properties: { seen: text } },
      },
    },
  },
  subresources: { status: {} },
  ...more,
});

const definition = (versions: Json[]): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `changers.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'changers', singular: 'changer', kind: 'Changer', listKind: 'ChangerList' },
    versions,
  },
});

const at = (name: string): string => `${below(`${GROUP}/${name}`, space)}/changers`;
const stored = { storage: true };

const changer = (name: string, spec: Json, own = 'a'): Json => ({
  apiVersion: `${GROUP}/${name}`,
  kind: 'Changer',
  metadata: { name: own },
  spec,
});

/** The versions are replaced, and waited for: a path answers, or does not any more. */
function changed(name: string, versions: Json[], there: string[], gone: string[]): Step[] {
  return [
    patch(name, DEFINITION, { spec: { versions } }),
    ...there.map((one) => ({
      ...quiet(get(`${name}: ${one}`, at(one))),
      until: (status: number) => status === 200,
    })),
    ...gone.map((one) => ({
      ...quiet(get(`${name}: no ${one}`, at(one))),
      until: (status: number) => status === 404,
    })),
    // Every part of upstream's servers has heard of it by then.
    quiet({
      ...get(`${name}: published`, `/apis/${GROUP}`),
      until: (_status, body) =>
        JSON.stringify(
          (body['versions'] as { version: string }[] | undefined)
            ?.map((one) => one.version)
            .toSorted(),
        ) === JSON.stringify(there.toSorted()),
    }),
    get(`${name}: discovered`, `/apis/${GROUP}`),
  ];
}

function owners(): Step[] {
  const apply = (name: string, of: string, spec: Json, more = 'fieldManager=one'): Step =>
    patch(name, `${at(of)}/a?${more}`, changer(of, spec), 'apply');
  return [
    quiet(post('definition', DEFINITIONS, definition([version('v1', stored), version('v2')]))),
    { ...quiet(get('served', at('v2'))), until: (status) => status === 200 },
    { ...quiet(get('served by the old', at('v1'))), until: (status) => status === 200 },
    post(
      'made by v1',
      `${at('v1')}?fieldManager=maker`,
      changer('v1', { a: '1', b: '1', list: ['x'] }),
    ),
    patch('changed by v2', `${at('v2')}/a?fieldManager=maker`, { spec: { c: '2', a: '2' } }),
    patch('changed by v2, by somebody', `${at('v2')}/a?fieldManager=other`, {
      spec: { b: '3', list: ['x', 'y'] },
    }),
    patch('changed by v1, by a third', `${at('v1')}/a?fieldManager=third`, {
      spec: { a: '4', list: ['z'] },
    }),
    get('seen by v2', `${at('v2')}/a`),
    apply('applied by v1', 'v1', { a: '4', b: '3' }),
    apply('applied by v2', 'v2', { a: '4', c: '5' }),
    apply('applied by v2, another', 'v2', { a: '6' }, 'fieldManager=two'),
    apply('applied by v1, another', 'v1', { a: '6' }, 'fieldManager=two'),
    apply(
      'applied by v1, another, forced',
      'v1',
      { a: '6', b: '6' },
      'fieldManager=two&force=true',
    ),
    apply('applied by v2, the first again', 'v2', { list: ['q'] }, 'fieldManager=one&force=true'),
    patch('status by v2', `${at('v2')}/a/status?fieldManager=status`, { status: { seen: 'x' } }),
    patch('status by v1', `${at('v1')}/a/status?fieldManager=status`, { status: { seen: 'y' } }),
    get('owners at last', `${at('v1')}/a`),
  ];
}

const status = (versions: string[]): Json => ({ status: { storedVersions: versions } });

function removal(): Step[] {
  const apply = (name: string, of: string, spec: Json, more = 'fieldManager=one'): Step =>
    patch(name, `${at(of)}/a?${more}`, changer(of, spec), 'apply');
  return [
    ...changed('stored as v2', [version('v1'), version('v2', stored)], ['v1', 'v2'], []),
    get('stored versions', DEFINITION),
    get('stored otherwise', `${at('v1')}/a`),
    patch('removed while stored', DEFINITION, { spec: { versions: [version('v2', stored)] } }),
    patch('no storage', DEFINITION, { spec: { versions: [version('v1'), version('v2')] } }),
    patch('two storages', DEFINITION, {
      spec: { versions: [version('v1', stored), version('v2', stored)] },
    }),
    patch('no versions', DEFINITION, { spec: { versions: [] } }),
    patch('twice the same', DEFINITION, {
      spec: { versions: [version('v2'), version('v2', stored)] },
    }),
    patch('stored versions: none', `${DEFINITION}/status`, status([])),
    patch('stored versions: unknown', `${DEFINITION}/status`, status(['v9', 'v2'])),
    patch('stored versions: without the storage', `${DEFINITION}/status`, status(['v1'])),
    patch('stored versions: twice', `${DEFINITION}/status`, status(['v2', 'v2', 'v1'])),
    ...changed(
      'v1 is not served',
      [version('v1', { served: false }), version('v2', stored)],
      ['v2'],
      ['v1'],
    ),
    get('not served', `${at('v1')}/a`),
    get('discovery of what is not served', `/apis/${GROUP}/v1`),
    get('discovery of no version', `/apis/${GROUP}/v9`),
    get('discovery of no group', '/apis/nothing.example.com'),
    get('discovery of no version of no group', '/apis/nothing.example.com/v1'),
    get('discovery of no version of a built-in group', '/apis/apps/v9'),
    get('discovery of no version of the core', '/api/v9'),
    get('discovery of a version that was', '/apis/autoscaling/v2beta2'),
    patch('changed while v1 is not served', `${at('v2')}/a?fieldManager=late`, {
      spec: { a: '7' },
    }),
    apply('applied while v1 is not served', 'v2', { b: '8' }, 'fieldManager=two&force=true'),
    patch('stored versions: v2', `${DEFINITION}/status`, status(['v2'])),
    ...changed('v1 is gone', [version('v2', stored)], ['v2'], ['v1']),
    get('owners of what is gone', `${at('v2')}/a`),
    patch('changed when v1 is gone', `${at('v2')}/a?fieldManager=late`, { spec: { a: '9' } }),
    apply('applied when v1 is gone', 'v2', { c: '9' }, 'fieldManager=two'),
    apply('applied when v1 is gone, forced', 'v2', { c: '9' }, 'fieldManager=two&force=true'),
    put('put when v1 is gone', `${at('v2')}/a?fieldManager=late`, changer('v2', { a: '1' })),
    get('owners after that', `${at('v2')}/a`),
    ...changed('v3 with other types', [version('v2', stored), version('v3')], ['v2', 'v3'], []),
    get('read with other types', `${at('v3')}/a`),
    patch('changed with other types', `${at('v3')}/a?fieldManager=late`, { spec: { a: 5 } }),
    get('read back', `${at('v2')}/a`),
    patch('changed after other types', `${at('v2')}/a?fieldManager=late`, { spec: { c: 'x' } }),
    patch(
      'applied with other types',
      `${at('v3')}/a?fieldManager=new&force=true`,
      changer('v3', { a: 6, c: 'y' }),
      'apply',
    ),
    patch(
      'applied over other types',
      `${at('v2')}/a?fieldManager=new&force=true`,
      changer('v2', { a: '6' }),
      'apply',
    ),
    get('list with other types', at('v3')),
    ...changed('all is v3', [version('v2'), version('v3', stored)], ['v2', 'v3'], []),
    put('put as v3', `${at('v3')}/a?fieldManager=late`, changer('v3', { a: 7 })),
    patch('stored versions: v3', `${DEFINITION}/status`, status(['v3'])),
    get('definition at last', DEFINITION),
    remove('gone', DEFINITION),
  ];
}

export const versionSteps = (): Step[] => [
  ...place(space),
  ...scalers(),
  ...owners(),
  ...removal(),
];
