// What kube-apiserver v1.37 says of addresses and networks that it takes, but that could be written better.
import { isIP } from 'node:net';

/** As RFC 5952 writes it: what URLs do, too. */
export function canonicalV6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

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

function toNumber(address: string): bigint {
  if (isIP(address) === 4) {
    return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  }
  const [head = '', tail] = canonicalV6(address).split('::');
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].reduce((sum, one) => sum * 65_536n + BigInt(`0x${one}`), 0n);
}

function toAddress(number: bigint, family: number): string {
  if (family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 255n)).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((number >> BigInt(16 * (7 - i))) & 65_535n).toString(16),
  );
  return canonicalV6(groups.join(':'));
}

export function networkWarnings(field: string, value: unknown): string[] {
  const [address = '', bits = ''] = String(value).split('/');
  const family = isIP(address);
  if (family === 0 || !/^\d+$/.test(bits)) return [];
  const width = family === 4 ? 32n : 128n;
  const rest = width - BigInt(bits);
  const number = toNumber(address);
  const start = toAddress((number >> rest) << rest, family);
  const quoted = JSON.stringify(value);
  const network = `${start}/${bits}`;
  const found: string[] = [];
  if (start !== toAddress(number, family)) {
    const single = JSON.stringify(`${toAddress(number, family)}/${width}`);
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
