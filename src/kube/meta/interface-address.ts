// Judges the address of a network interface with the length of its prefix (`10.9.8.7/24`), in the one form
// that kube-apiserver v1.37 takes for newer fields.
import { isIP } from 'node:net';
import { invalidValue } from './names.ts';
import type { StatusCause } from './status.ts';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** As Go writes an address; undefined when it is none. Leading zeros of IPv4 are let be, as Go's older parser does. */
function canonicalAddress(text: string): string | undefined {
  const plain = /^\d+(?:\.\d+){3}$/.test(text) ? text.replaceAll(/\b0+(?=\d)/g, '') : text;
  const family = isIP(plain);
  if (family === 0 || plain.includes('%')) return undefined;
  if (family === 4) return plain;
  const mapped = MAPPED.exec(plain)?.[1];
  return mapped ?? new URL(`http://[${plain}]`).hostname.slice(1, -1);
}

export function interfaceAddress(field: string, value: string): StatusCause[] {
  const [address = '', bits = '', ...more] = value.split('/');
  const canonical = canonicalAddress(address);
  const isMapped = address.includes(':') && canonical?.includes(':') === false;
  const most = address.includes(':') ? 128 : 32;
  const size = /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (canonical === undefined || more.length > 0 || size < 0 || size > most) {
    const why = 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';
    return [invalidValue(field, value, why)];
  }
  const whole = `${canonical}/${isMapped && size > 32 ? size - 96 : size}`;
  if (whole === value) return [];
  return [invalidValue(field, value, `must be in canonical form (${JSON.stringify(whole)})`)];
}
