// The resources that the components of an instance use, by name.
import type { GroupVersionResource } from '#kube/meta/object.ts';

function gvr(group: string, version: string, resource: string): GroupVersionResource {
  return { group, version, resource };
}

const core = (resource: string) => gvr('', 'v1', resource);
const apps = (resource: string) => gvr('apps', 'v1', resource);
const batch = (resource: string) => gvr('batch', 'v1', resource);
const rbac = (resource: string) => gvr('rbac.authorization.k8s.io', 'v1', resource);

export const configMaps = core('configmaps');
export const endpoints = core('endpoints');
export const events = core('events');
export const namespaces = core('namespaces');
export const nodes = core('nodes');
export const persistentVolumeClaims = core('persistentvolumeclaims');
export const persistentVolumes = core('persistentvolumes');
export const pods = core('pods');
export const replicationControllers = core('replicationcontrollers');
export const resourceQuotas = core('resourcequotas');
export const secrets = core('secrets');
export const serviceAccounts = core('serviceaccounts');
export const services = core('services');

export const controllerRevisions = apps('controllerrevisions');
export const daemonSets = apps('daemonsets');
export const deployments = apps('deployments');
export const replicaSets = apps('replicasets');
export const statefulSets = apps('statefulsets');

export const cronJobs = batch('cronjobs');
export const jobs = batch('jobs');

export const clusterRoles = rbac('clusterroles');
export const clusterRoleBindings = rbac('clusterrolebindings');

export const certificateSigningRequests = gvr(
  'certificates.k8s.io',
  'v1',
  'certificatesigningrequests',
);
export const endpointSlices = gvr('discovery.k8s.io', 'v1', 'endpointslices');
export const leases = gvr('coordination.k8s.io', 'v1', 'leases');
export const podDisruptionBudgets = gvr('policy', 'v1', 'poddisruptionbudgets');
export const priorityClasses = gvr('scheduling.k8s.io', 'v1', 'priorityclasses');
export const storageClasses = gvr('storage.k8s.io', 'v1', 'storageclasses');
export const volumeAttributesClasses = gvr('storage.k8s.io', 'v1', 'volumeattributesclasses');
export const serviceCidrs = gvr('networking.k8s.io', 'v1', 'servicecidrs');
export const ipAddresses = gvr('networking.k8s.io', 'v1', 'ipaddresses');
export const runtimeClasses = gvr('node.k8s.io', 'v1', 'runtimeclasses');
export const customResourceDefinitions = gvr(
  'apiextensions.k8s.io',
  'v1',
  'customresourcedefinitions',
);

export const validatingAdmissionPolicies = gvr(
  'admissionregistration.k8s.io',
  'v1',
  'validatingadmissionpolicies',
);

export function resourceKey({ group, version, resource }: GroupVersionResource): string {
  return `${group}/${version}/${resource}`;
}
