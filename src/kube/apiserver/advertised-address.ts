// Under which address clients in the cluster find this server: what --advertise-address says, or where it listens
// (kube-apiserver v1.37: options.go, instance.go). A server that listens everywhere can be told of one only this way.
import { Fault } from '#base/fault.ts';
import { familyOf } from '#kube/meta/ip-ranges.ts';
import { isIP } from 'node:net';
import { textFlag, type AccessFlags } from './flag-values.ts';

const FLAG = 'advertise-address';

const bad = (address: string, why: string): Fault =>
  new Fault({ code: 'bad-option', flag: FLAG, address }, `Cannot use --${FLAG}: ${why}`);

/** Throws Fault `bad-option`. `ranges` are those of services. */
export function advertisedAddress(
  flags: AccessFlags,
  listenHost: string,
  ranges: readonly string[],
): string {
  const address = textFlag(flags, FLAG);
  if (address === undefined) return listenHost === '0.0.0.0' ? '127.0.0.1' : listenHost;
  if (isIP(address) === 0) throw bad(address, `"${address}" is no IP address`);
  const [first = ''] = ranges;
  // The service of the server itself has an address of the first range.
  if (familyOf(address) !== familyOf(first.split('/')[0] ?? '')) {
    throw bad(
      address,
      `service IP family "${first}" must match public address family "${address}"`,
    );
  }
  return address;
}
