// How groups and their versions are ordered in discovery: the numbers that kube-apiserver v1.37 registers
// its own API services with (pkg/controlplane/apiserver/aggregator.go, cmd/kube-apiserver/app).

export interface Priority {
  readonly group: number;
  readonly version: number;
}

/** [of the group, of each version that is served] */
const builtIn: Readonly<Record<string, readonly [number, Readonly<Record<string, number>>]>> = {
  '': [18_000, { v1: 1 }],
  apps: [17_800, { v1: 15 }],
  'events.k8s.io': [17_750, { v1: 15 }],
  'authentication.k8s.io': [17_700, { v1: 15 }],
  'authorization.k8s.io': [17_600, { v1: 15 }],
  autoscaling: [17_500, { v1: 15, v2: 30 }],
  batch: [17_400, { v1: 15 }],
  'certificates.k8s.io': [17_300, { v1: 15 }],
  'networking.k8s.io': [17_200, { v1: 15 }],
  policy: [17_100, { v1: 15 }],
  'rbac.authorization.k8s.io': [17_000, { v1: 15 }],
  'storage.k8s.io': [16_800, { v1: 15 }],
  'apiextensions.k8s.io': [16_700, { v1: 15 }],
  'admissionregistration.k8s.io': [16_700, { v1: 15 }],
  'scheduling.k8s.io': [16_600, { v1: 15 }],
  'coordination.k8s.io': [16_500, { v1: 15 }],
  'node.k8s.io': [16_300, { v1: 15 }],
  'discovery.k8s.io': [16_200, { v1: 15 }],
  'resource.k8s.io': [16_200, { v1: 21 }],
  'flowcontrol.apiserver.k8s.io': [16_100, { v1: 21 }],
  'storagemigration.k8s.io': [15_800, { v1: 15 }],
};

/** Before all others: there is no API service for it. */
export const REGISTRATION_GROUP = 'apiregistration.k8s.io';
const REGISTRATION: Priority = { group: 20_001, version: 1_000 };

/** Custom resources come after what is built in. */
export const customPriority: Priority = { group: 1_000, version: 100 };

export function priorityOf(group: string, version: string): Priority {
  if (group === REGISTRATION_GROUP) return REGISTRATION;
  const [ofGroup, versions] = builtIn[group] ?? [];
  const ofVersion = versions?.[version];
  if (ofGroup === undefined || ofVersion === undefined) return customPriority;
  return { group: ofGroup, version: ofVersion };
}

/** Every group and version that has an API service from the start. */
export function builtInVersions(): readonly { group: string; version: string }[] {
  return Object.entries(builtIn).flatMap(([group, [, versions]]) =>
    Object.keys(versions).map((version) => ({ group, version })),
  );
}
