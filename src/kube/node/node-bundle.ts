// What a node executor is given by its instance: identity, certificates, address, pod range.
import { Fault } from '#base/fault.ts';

export interface NodeBundle {
  readonly instance: string;
  readonly nodeName: string;
  /** As system:node:<name>. */
  readonly kubeconfig: unknown;
  readonly servingCert: string;
  readonly servingKey: string;
  readonly clientCa: string;
  readonly kubeletPort: number;
  readonly hostIp: string;
  readonly podCidr?: string | undefined;
  readonly clusterDns?: readonly string[] | undefined;
  /** `process`, or the name of a RuntimeClass handled by the node's container runtime. */
  readonly runtimeClassDefault?: string | undefined;
}

const variable = 'STRATA_NODE_BUNDLE';

function bundleFault(what: string, cause?: unknown): Fault {
  const text = `Cannot run as a node executor: ${what}`;
  return new Fault({ code: 'node-bundle' }, text, { cause });
}

/** base64 of JSON, out of the environment. */
export function readBundle(environment: Readonly<Record<string, string | undefined>>): NodeBundle {
  const text = environment[variable];
  if (text === undefined || text === '') throw bundleFault(`${variable} is not set`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch (error) {
    throw bundleFault(`${variable} is not base64 of JSON`, error);
  }
  const bundle = value as NodeBundle;
  const words = [
    'instance',
    'nodeName',
    'servingCert',
    'servingKey',
    'clientCa',
    'hostIp',
  ] as const;
  for (const name of words) {
    if (typeof bundle[name] !== 'string') throw bundleFault(`${variable} has no ${name}`);
  }
  if (!Number.isInteger(bundle.kubeletPort)) throw bundleFault(`${variable} has no kubeletPort`);
  return bundle;
}
