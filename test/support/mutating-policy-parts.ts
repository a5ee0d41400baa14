// What steps about MutatingAdmissionPolicies are made of.
import type { Json } from './step-parts.ts';

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
export const mutatingPolicies = `${ADMISSION}/mutatingadmissionpolicies`;
export const mutatingBindings = `${ADMISSION}/mutatingadmissionpolicybindings`;

export const applying = (expression: string): Json => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: { expression },
});
export const patching = (expression: string): Json => ({
  patchType: 'JSONPatch',
  jsonPatch: { expression },
});

export const rules = (...resources: string[]): Json[] => [
  { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources },
];
