// For whom a node may ask for tokens: audiences that the pod's volumes name, directly or by the driver of a
// volume, and what a role allows beside (NodeRestriction of kubernetes v1.37).
import { ephemeralClaimName } from '#kube/meta/pod-references.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  forbiddenBy,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

/** Volumes of the old kinds, and the drivers that serve them today. */
const drivers: Readonly<Record<string, string>> = {
  awsElasticBlockStore: 'ebs.csi.aws.com',
  azureDisk: 'disk.csi.azure.com',
  azureFile: 'file.csi.azure.com',
  cinder: 'cinder.csi.openstack.org',
  gcePersistentDisk: 'pd.csi.storage.gke.io',
  portworxVolume: 'pxd.portworx.com',
  vsphereVolume: 'csi.vsphere.vmware.com',
};

function driverIn(source: Json): string | undefined {
  const own = (source['csi'] as Json | undefined)?.['driver'];
  if (own !== undefined) return String(own);
  return Object.entries(drivers).find(([field]) => source[field] !== undefined)?.[1];
}

class Missing extends Error {}

async function need(
  { lookup }: AdmissionServices,
  [group, resource]: readonly [string, string],
  namespace: string | undefined,
  name: string,
): Promise<KubeObject> {
  const found = await lookup.get(group, resource, namespace, name);
  if (found !== undefined) return found;
  const qualified = group === '' ? resource.slice(0, -1) : `${resource.slice(0, -1)}.${group}`;
  throw new Missing(`${qualified} ${JSON.stringify(name)} not found`);
}

async function driverOf(
  pod: KubeObject,
  volume: Json,
  services: AdmissionServices,
): Promise<string | undefined> {
  const claim = (volume['persistentVolumeClaim'] as Json | undefined)?.['claimName'];
  const isMade = volume['ephemeral'] !== undefined;
  if (!isMade && claim === undefined) return driverIn(volume);
  const name = isMade ? ephemeralClaimName(pod, volume) : String(claim);
  const { namespace } = pod.metadata;
  const found = await need(services, ['', 'persistentvolumeclaims'], namespace, name);
  const of = String(found['spec']?.volumeName ?? '');
  const backing = await need(services, ['', 'persistentvolumes'], undefined, of);
  return driverIn((backing['spec'] ?? {}) as Json);
}

async function driverWants(
  driver: string,
  audience: string,
  services: AdmissionServices,
): Promise<boolean> {
  const found = await need(services, ['storage.k8s.io', 'csidrivers'], undefined, driver);
  const requests = (found['spec']?.tokenRequests ?? []) as readonly Json[];
  return requests.some((one) => (one['audience'] ?? '') === audience);
}

/** Throws Missing, with all that is, when it cannot be known. */
async function isNamed(
  pod: KubeObject,
  audience: string,
  services: AdmissionServices,
): Promise<boolean> {
  const failures: string[] = [];
  for (const volume of (pod['spec']?.volumes ?? []) as readonly Json[]) {
    const sources = ((volume['projected'] as Json | undefined)?.['sources'] ?? []) as Json[];
    const tokens = sources
      .map((one) => one['serviceAccountToken'] as Json | undefined)
      .filter((one) => one !== undefined);
    if (tokens.some((one) => (one['audience'] ?? '') === audience)) return true;
    try {
      const driver = await driverOf(pod, volume, services);
      if (driver !== undefined && (await driverWants(driver, audience, services))) return true;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length === 0) return false;
  throw new Missing(failures.length === 1 ? failures[0] : `[${failures.join(', ')}]`);
}

/** Throws ApiError 403. */
export async function checkAudience(
  pod: KubeObject,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<void> {
  const { object, user, namespace, name } = request;
  const audiences = (object?.['spec']?.audiences ?? []) as readonly string[];
  if (audiences.length > 1) {
    throw forbiddenBy(request, 'node may only request 0 or 1 audiences');
  }
  const audience = audiences[0] ?? '';
  const shown = JSON.stringify(audience);
  try {
    if (await isNamed(pod, audience, services)) return;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    throw forbiddenBy(request, `error validating audience ${shown}: ${error.message}`);
  }
  const { kind } = await services.authorize({
    user,
    verb: 'request-serviceaccounts-token-audience',
    isResource: true,
    group: '',
    version: 'v1',
    resource: audience,
    subresource: undefined,
    namespace,
    name,
    path: '',
  });
  if (kind === 'allow') return;
  throw forbiddenBy(
    request,
    `${user.name} is not authorized to request tokens for audience ${shown}`,
  );
}
