// Whether certificates are issued for the time that was asked for: counted when a signer puts one into its request.
import { X509Certificate } from 'node:crypto';
import { certificatesOf } from '#base/pem.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { SigningCounts } from './metrics/admission-counts.ts';
import type { Resources, WriteContext, Written } from './resources.ts';

const certificateOf = (object: KubeObject | undefined): string => {
  const { certificate } = (object?.['status'] ?? {}) as { certificate?: string };
  return certificate ?? '';
};

/** Does the write, of whatever it is. */
export async function countingIssued(
  counts: SigningCounts,
  resources: Resources,
  { context, name }: { readonly context: WriteContext; readonly name: string },
  write: () => Promise<Written>,
): Promise<Written> {
  const { info, subresource, isDryRun } = context;
  const isStatus = info.resource === 'certificatesigningrequests' && subresource === 'status';
  if (!isStatus || info.group !== 'certificates.k8s.io' || isDryRun) return await write();
  const before = await resources.get(info.group, info.resource, undefined, name);
  const written = await write();
  const { expirationSeconds, signerName } = written.object['spec'] as {
    expirationSeconds?: number;
    signerName: string;
  };
  const issued = certificateOf(written.object);
  if (expirationSeconds !== undefined && certificateOf(before) === '' && issued !== '')
    counts.issued(signerName, expirationSeconds, secondsOf(issued));
  return written;
}

function secondsOf(base64: string): number | undefined {
  try {
    const [first = ''] = certificatesOf(Buffer.from(base64, 'base64').toString());
    const { validFromDate, validToDate } = new X509Certificate(first);
    return (validToDate.getTime() - validFromDate.getTime()) / 1_000;
  } catch {
    return undefined;
  }
}
