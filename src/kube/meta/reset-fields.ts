// Fields that an endpoint does not take from clients, and that nobody owns for having sent them there:
// the status of an object's main endpoint, the rest at its status (Kubernetes v1.37's strategies).
import { fieldSet, type FieldSet } from './field-sets.ts';
import type { ResourceInfo } from './resource-info.ts';

const none: FieldSet = {};
const status = fieldSet('status');
const spec = fieldSet('spec');
const specAndMetadata = fieldSet('spec', 'metadata');

/** Kinds at whose status endpoint metadata cannot be changed either. */
const statusAlone = new Set([
  'certificates.k8s.io/podcertificaterequests',
  'networking.k8s.io/servicecidrs',
  'storagemigration.k8s.io/storageversionmigrations',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/devicetaintrules',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/volumeattachments',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'apiregistration.k8s.io/apiservices',
]);

const special: Readonly<Record<string, FieldSet>> = {
  'certificates.k8s.io/certificatesigningrequests/': fieldSet('spec', 'status'),
  'certificates.k8s.io/certificatesigningrequests/status': fieldSet('spec', 'status.conditions'),
  'certificates.k8s.io/certificatesigningrequests/approval': fieldSet('spec', 'status.certificate'),
  'apps/deployments/status': fieldSet('spec', 'metadata.labels'),
  '/pods/status': fieldSet('spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'),
  '/namespaces/finalize': status,
};

export function resetFields(info: ResourceInfo, subresource: string | undefined): FieldSet {
  const key = `${info.group}/${info.resource}`;
  const own = special[`${key}/${subresource ?? ''}`];
  if (own !== undefined) return own;
  const hasStatus = info.subresources.some(({ name }) => name === 'status');
  if (subresource === undefined) return hasStatus ? status : none;
  if (subresource !== 'status') return none;
  const isAlone = info.customResourceDefinition !== undefined || statusAlone.has(key);
  return isAlone ? specAndMetadata : spec;
}
