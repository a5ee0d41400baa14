// IPv4 addresses and ranges such as `10.0.0.0/16`, as numbers.

/** undefined for what is no IPv4 address. */
export function numberOfIp(ip: string): number | undefined {
  const parts = ip.split('.').map(Number);
  if (parts.length !== 4 || parts.some((one) => !(one >= 0 && one <= 255))) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** First and last number of a range. */
function span(cidr: string): readonly [first: number, last: number] | undefined {
  const [base = '', bits = ''] = cidr.split('/');
  const number = numberOfIp(base);
  if (number === undefined) return undefined;
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(number / size) * size;
  return [first, first + size - 1];
}

/** A range is within another; what is no IPv4 only within itself. */
export function holds(outer: string, inner: string): boolean {
  const [wide, narrow] = [span(outer), span(inner)];
  if (wide === undefined || narrow === undefined) return outer === inner;
  return wide[0] <= narrow[0] && narrow[1] <= wide[1];
}

export const holdsAddress = (cidr: string, ip: string): boolean => holds(cidr, `${ip}/32`);
