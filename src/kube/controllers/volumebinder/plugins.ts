// The storage that kube-controller-manager v1.37 knows itself, by the names of its plugins: what has moved to
// CSI drivers, and in which words it says that it can neither make nor delete a volume. Pure.
import type { KubeObject } from '#kube/meta/object.ts';
import { annotation, provisionedBy } from './claims.ts';

export const storageProvisioner = 'volume.kubernetes.io/storage-provisioner';
export const betaStorageProvisioner = 'volume.beta.kubernetes.io/storage-provisioner';
export const migratedTo = 'pv.kubernetes.io/migrated-to';

const IN_TREE = 'kubernetes.io/';
const HOST_PATH = 'kubernetes.io/host-path';
const NFS = 'kubernetes.io/nfs';
const CONTROLLER_FINALIZER = 'kubernetes.io/pv-controller';
const EXTERNAL_FINALIZER = 'external-provisioner.volume.kubernetes.io/finalizer';

const drivers: ReadonlyMap<string, string> = new Map([
  ['kubernetes.io/aws-ebs', 'ebs.csi.aws.com'],
  ['kubernetes.io/azure-disk', 'disk.csi.azure.com'],
  ['kubernetes.io/azure-file', 'file.csi.azure.com'],
  ['kubernetes.io/cinder', 'cinder.csi.openstack.org'],
  ['kubernetes.io/gce-pd', 'pd.csi.storage.gke.io'],
  ['kubernetes.io/portworx-volume', 'pxd.portworx.com'],
  ['kubernetes.io/vsphere-volume', 'csi.vsphere.vmware.com'],
]);

/** Who makes volumes of a class: the plugin's driver where it has moved. */
export function provisionerOf(storageClass: KubeObject): string {
  const own = String(storageClass['provisioner'] ?? '');
  return drivers.get(own) ?? own;
}

/** Why a plugin of upstream's own cannot make a volume; absent: somebody else is asked to. */
export function provisioningFault(storageClass: KubeObject): string | undefined {
  const own = String(storageClass['provisioner'] ?? '');
  if (drivers.has(own) || !own.startsWith(IN_TREE)) return undefined;
  if (own === NFS) return 'no provisionable volume plugin matched';
  if (own !== HOST_PATH) return `no volume plugin matched name: ${own}`;
  return `Failed to create provisioner: provisioning in volume plugin "${HOST_PATH}" is disabled`;
}

/** Why a volume cannot be deleted here; absent: whoever made it does so. */
export function deletionFault(volume: KubeObject): string | undefined {
  const provisioner = annotation(volume, provisionedBy) ?? '';
  const { spec } = volume;
  if (provisioner !== '') {
    if (!provisioner.startsWith(IN_TREE)) return undefined;
    if (provisioner === NFS) return 'no deletable volume plugin matched';
    if (provisioner !== HOST_PATH) return `no volume plugin matched name: ${provisioner}`;
  } else if (annotation(volume, migratedTo) !== undefined || spec.csi !== undefined) {
    return undefined;
  } else if (spec.hostPath === undefined) {
    const what = spec.nfs === undefined ? 'no volume' : 'no deletable volume';
    const { name } = volume.metadata;
    return `error getting deleter volume plugin for volume "${name}": ${what} plugin matched`;
  }
  const path = String(spec.hostPath?.path ?? '');
  // Upstream deletes such folders of the machine that its controllers are on, for tests; here nothing is.
  if (/\/tmp\/.+/.test(path)) return `host_path deleter does not delete ${path} here`;
  return `host_path deleter only supports /tmp/.+ but received provided ${path}`;
}

function withAnnotation(object: KubeObject, name: string, value: string | undefined): KubeObject {
  const { [name]: _old, ...others } = object.metadata.annotations ?? {};
  const annotations = value === undefined ? others : { ...others, [name]: value };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** With the name of the driver that has taken over; undefined when it says so already. */
function migrated(object: KubeObject, provisioner: string | undefined): KubeObject | undefined {
  if (provisioner === undefined) return undefined;
  const driver = drivers.get(provisioner);
  if ((annotation(object, migratedTo) ?? '') === (driver ?? '')) return undefined;
  return withAnnotation(object, migratedTo, driver);
}

export function migratedClaim(claim: KubeObject): KubeObject | undefined {
  const provisioner = annotation(claim, storageProvisioner);
  return migrated(claim, provisioner ?? annotation(claim, betaStorageProvisioner));
}

/** The claim with the name of who is to make its volume; undefined when it has it. */
export function withProvisioner(claim: KubeObject, provisioner: string): KubeObject | undefined {
  if (annotation(claim, storageProvisioner) === provisioner) return undefined;
  const beta = withAnnotation(claim, betaStorageProvisioner, provisioner);
  const named = withAnnotation(beta, storageProvisioner, provisioner);
  return migrated(named, provisioner) ?? named;
}

/** Only volumes that upstream's own plugins made are held by its finalizer, and only until they are deleted. */
function heldFinalizers(volume: KubeObject, provisioner: string): readonly string[] {
  const { finalizers = [] } = volume.metadata;
  const others = finalizers.filter((one) => one !== CONTROLLER_FINALIZER);
  if (drivers.has(provisioner)) return others;
  if (!provisioner.startsWith(IN_TREE)) return finalizers;
  const isDeleted = volume['spec'].persistentVolumeReclaimPolicy === 'Delete';
  const isHeld = finalizers.includes(CONTROLLER_FINALIZER);
  const own = !isDeleted ? others : isHeld ? finalizers : [...finalizers, CONTROLLER_FINALIZER];
  return own.filter((one) => one !== EXTERNAL_FINALIZER);
}

/** The volume with the marks of a driver that has taken over, and its finalizers; undefined when it has them. */
export function migratedVolume(volume: KubeObject): KubeObject | undefined {
  const provisioner = annotation(volume, provisionedBy);
  if (provisioner === undefined) return undefined;
  const marked = migrated(volume, provisioner);
  const { finalizers = [] } = volume.metadata;
  const held = heldFinalizers(volume, provisioner);
  const isSame = held.length === finalizers.length && held.every((one) => finalizers.includes(one));
  if (marked === undefined && isSame) return undefined;
  const object = marked ?? volume;
  return { ...object, metadata: { ...object.metadata, finalizers: [...held] } };
}
