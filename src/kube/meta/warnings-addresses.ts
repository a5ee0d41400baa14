// What kube-apiserver v1.37 says of addresses and networks that it takes, but that could be written better.
import { isIP } from 'node:net';
import { addressNumber, addressText, canonicalV6, familyOf } from './ip-ranges.ts';

/** The address in an IPv6 address that stands for one of IPv4; undefined for others. */
function embeddedV4(address: string): string | undefined {
  const found = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonicalV6(address));
  if (found === null) return undefined;
  const halves = [found[1], found[2]].map((one) => Number.parseInt(one ?? '0', 16));
  return halves.flatMap((half) => [half >> 8, half & 255]).join('.');
}

export function addressWarnings(field: string, value: unknown): string[] {
  const address = String(value);
  if (isIP(address) !== 6) return [];
  const quoted = JSON.stringify(address);
  const inner = embeddedV4(address);
  if (inner !== undefined) {
    return [`${field}: non-standard IP address ${quoted} is invalid: use ${JSON.stringify(inner)}`];
  }
  const better = canonicalV6(address);
  if (better === address) return [];
  const form = JSON.stringify(better);
  return [`${field}: IPv6 address ${quoted} should be in RFC 5952 canonical format (${form})`];
}

export function networkWarnings(field: string, value: unknown): string[] {
  const [address = '', bits = ''] = String(value).split('/');
  const family = isIP(address);
  if (family === 0 || !/^\d+$/.test(bits)) return [];
  const width = family === 4 ? 32n : 128n;
  const rest = width - BigInt(bits);
  const number = addressNumber(address);
  const kind = familyOf(address);
  const start = addressText((number >> rest) << rest, kind);
  const quoted = JSON.stringify(value);
  const network = `${start}/${bits}`;
  const found: string[] = [];
  if (start !== addressText(number, kind)) {
    const single = JSON.stringify(`${addressText(number, kind)}/${width}`);
    const which = `should be ${JSON.stringify(network)} or ${single}?`;
    found.push(`${field}: CIDR value ${quoted} is ambiguous in this context (${which})`);
  }
  const isOdd = family === 6 && found.length === 0 && network !== value;
  if (isOdd) {
    const form = JSON.stringify(network);
    found.push(
      `${field}: IPv6 CIDR value ${quoted} should be in RFC 5952 canonical format (${form})`,
    );
  }
  return found;
}
