// NodeDeclaredFeatureValidator: an update that needs something of the kubelet of the pod's node waits until
// that node says in `status.declaredFeatures` that it can.
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { forbiddenBy, isOf, type AdmissionPlugin, type Json } from './request.ts';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const specOf = (pod: KubeObject): Json => (pod['spec'] ?? {}) as Json;

/** Of upstream v1.37, those that an update can need (component-helpers/nodedeclaredfeatures). */
const features: readonly (readonly [string, (spec: Json, old: Json) => boolean])[] = [
  [
    'InPlacePodLevelResourcesVerticalScaling',
    (spec, old) => !same(spec['resources'], old['resources']),
  ],
  [
    'InPlacePodVerticalScalingInitContainers',
    (spec, old) =>
      list(old['initContainers']).some(
        (one, i) =>
          one['restartPolicy'] !== 'Always' &&
          !same(one['resources'] ?? {}, list(spec['initContainers'])[i]?.['resources'] ?? {}),
      ),
  ],
  ['InPlacePodVerticalScalingMemoryBackedVolumes', isVolumeResized],
];

function isVolumeResized(spec: Json, old: Json): boolean {
  const [volumes, before] = [list(spec['volumes']), list(old['volumes'])];
  if (volumes.length !== before.length) return false;
  return volumes.some((one, i) => {
    const [own, other] = [one['emptyDir'] as Json | undefined, before[i]?.['emptyDir']];
    if (one['name'] !== before[i]?.['name'] || own?.['medium'] !== 'Memory') return false;
    const was = (other as Json | undefined)?.['sizeLimit'];
    return own['sizeLimit'] !== undefined && was !== undefined && own['sizeLimit'] !== was;
  });
}

export const declaredFeatures: AdmissionPlugin = {
  name: 'NodeDeclaredFeatureValidator',
  async validate(request, { lookup }) {
    const { operation, object, old, subresource = '' } = request;
    if (operation !== 'UPDATE' || !isOf(request, '', 'pods')) return;
    if (subresource !== '' && subresource !== 'resize') return;
    if (object === undefined || old === undefined) return;
    const name = String(specOf(object)['nodeName'] ?? '');
    if (name === '' || object.metadata.generation === old.metadata.generation) return;
    const needed = features.filter(([, isNeeded]) => isNeeded(specOf(object), specOf(old)));
    if (needed.length === 0) return;
    const node = await lookup.get('', 'nodes', undefined, name);
    if (node === undefined) throw forbiddenBy(request, `node ${JSON.stringify(name)} not found`);
    const declared = (node['status']?.declaredFeatures ?? []) as readonly string[];
    const missing = needed.map(([one]) => one).filter((one) => !declared.includes(one));
    if (missing.length === 0) return;
    const what = missing.join(', ');
    const where = JSON.stringify(name);
    const why = `pod update requires features ${what} which are not available on node ${where}`;
    throw forbiddenBy(request, why);
  },
};
