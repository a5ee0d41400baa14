// Addresses of a service range: the first for the API server itself, the others given out in order.

function toNumber(ip: string): number {
  return ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/** The n-th address of a range such as `10.0.0.0/16`; undefined past its end. */
export function addressAt(cidr: string, index: number): string | undefined {
  const [base = '0.0.0.0', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return index < size - 1 ? toText(toNumber(base) + index) : undefined;
}

/** Without the network's own address and the last one. */
export function addressCount(cidr: string): number {
  return Math.max(0, 2 ** (32 - Number(cidr.split('/')[1] ?? '32')) - 2);
}

export function isInside(cidr: string, ip: string): boolean {
  const [base = '0.0.0.0', bits = '32'] = cidr.split('/');
  const offset = toNumber(ip) - toNumber(base);
  return offset >= 0 && offset < 2 ** (32 - Number(bits));
}
