// Defaults of what lies in the store: upstream fills them in whenever it reads an object, so that what an older
// version has stored is there with the fields that have been given defaults since. What this server has written has
// them already, which is seen from its bytes: nothing is parsed for that.
import { same } from '#base/same.ts';
import { applyDefaults } from '#kube/meta/defaulting.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { builtinResources } from '#kube/types/registry.ts';
import { inBothFields } from './computed-fields.ts';
import { inFull } from './service-fields.ts';

type Json = Record<string, unknown>;

interface Known {
  readonly info: ResourceInfo;
  /** `"volumeMode":` and others: what an object of the kind has in it if it has its defaults. */
  marks?: readonly Buffer[];
}

let known: Map<string, Known> | undefined;

/** Built-in kinds by how their stored bytes begin. */
function knownKinds(): Map<string, Known> {
  if (known !== undefined) return known;
  const all = builtinResources();
  known = new Map(all.map((info) => [headOf(apiVersionOf(info), info.kind), { info }]));
  for (const info of all) {
    const { kind, group, storageVersion } = info;
    const head = headOf(apiVersionOf({ group, version: storageVersion }), kind);
    if (!known.has(head)) known.set(head, { info });
  }
  return known;
}

const headOf = (apiVersion: string, kind: string): string =>
  `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)}`;

const pending: ReadonlySet<string> = new Set(['PersistentVolume', 'PersistentVolumeClaim']);

function applyStored(info: ResourceInfo, object: KubeObject): void {
  applyDefaults(info, object);
  if (info.group !== '') return;
  const { spec } = object;
  if (info.kind === 'Service' && spec !== undefined) object['spec'] = inFull(spec as Json);
  if (info.kind === 'PersistentVolumeClaim' && spec !== undefined) inBothFields(spec as Json);
  if (pending.has(info.kind)) ((object['status'] ??= {}) as Json)['phase'] ||= 'Pending';
}

/** Fills in what the object, which is the caller's own, was stored without. */
export function withStoredDefaults(object: KubeObject): KubeObject {
  const found = knownKinds().get(headOf(object.apiVersion, object.kind));
  if (found !== undefined) applyStored(found.info, object);
  return object;
}

/** An object of any kind with nothing in it, but one of each of what has defaults of its own and is rarely absent. */
function bare(info: ResourceInfo): KubeObject {
  const { kind } = info;
  const containers = [{}];
  const template = { spec: { containers } };
  const spec = kind === 'Pod' ? { containers } : { template, ports: [{}], clusterIP: 'None' };
  const lists = { webhooks: [{}], ports: [{}], endpoints: [{}] };
  const metadata = { name: 'a' };
  return { apiVersion: apiVersionOf(info), kind, metadata, spec, ...lists };
}

function addKeys(value: unknown, keys: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) for (const key of Object.keys(value)) keys.add(key);
  for (const one of Object.values(value)) addKeys(one, keys);
}

/** Of kinds with many objects the defaults that came last are looked for alone: each costs a microsecond an object. */
const newest: Readonly<Record<string, readonly string[]>> = {
  '/Event': ['reportingInstance'],
  '/Pod': ['enableServiceLinks'],
  '/Service': ['internalTrafficPolicy', 'clusterIPs'],
  'apps/DaemonSet': ['revisionHistoryLimit', 'terminationMessagePolicy'],
  'apps/Deployment': ['progressDeadlineSeconds', 'terminationMessagePolicy'],
  'apps/ReplicaSet': ['terminationMessagePolicy'],
  'batch/Job': ['podReplacementPolicy', 'completionMode'],
  'discovery.k8s.io/EndpointSlice': ['conditions'],
  'events.k8s.io/Event': ['eventTime'],
};

function marksOf(info: ResourceInfo): readonly Buffer[] {
  const mark = (key: string): Buffer => Buffer.from(`"${key}":`);
  const last = newest[`${info.group}/${info.kind}`];
  if (last !== undefined) return last.map(mark);
  const [before, after] = [new Set<string>(), new Set<string>()];
  const object = bare(info);
  addKeys(object, before);
  applyStored(info, object);
  addKeys(object, after);
  return [...after].filter((key) => !before.has(key)).map(mark);
}

const CLOSING = 0x7d;
const METADATA = Buffer.from(',"metadata":');

/**
 * Whether the stored JSON has its defaults. What upstream has written as JSON ends with a line; that, and what lacks
 * a default that most objects of the kind have, is parsed and filled in to see.
 */
export function isWhole(value: Uint8Array, parse: () => KubeObject): boolean {
  const bytes = Buffer.isBuffer(value)
    ? value
    : Buffer.from(value.buffer, value.byteOffset, value.length);
  const end = bytes.indexOf(METADATA);
  if (end > 0 && bytes.at(-1) === CLOSING) {
    const found = knownKinds().get(bytes.toString('latin1', 0, end));
    if (found === undefined) return true;
    found.marks ??= marksOf(found.info);
    if (found.marks.every((mark) => bytes.includes(mark))) return true;
  }
  return same(parse(), withStoredDefaults(parse()));
}
