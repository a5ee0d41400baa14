// IP addresses and networks as CEL values: parsed as Go's net/netip does, without zones and without IPv4
// inside of IPv6, printed in their one canonical form.

/** What an expression gets when a function refuses its argument; the message is upstream's. */
export class CelFailure extends Error {
  override readonly name = 'CelFailure';
}

const BITS = { 4: 32, 6: 128 } as const;

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  let source = text;
  const tail = source.slice(source.lastIndexOf(':') + 1);
  if (tail.includes('.')) {
    const v4 = parseV4(tail);
    if (v4 === undefined) return undefined;
    const halves = `${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
    source = `${source.slice(0, source.length - tail.length)}${halves}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return undefined;
  const groups = (part: string | undefined): string[] =>
    part === undefined || part === '' ? [] : part.split(':');
  const [head, rest] = [groups(halves[0]), groups(halves[1])];
  const missing = 8 - head.length - rest.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...rest];
  if (!all.every((one) => /^[0-9a-fA-F]{1,4}$/.test(one))) return undefined;
  return all.reduce((value, one) => (value << 16n) | BigInt(`0x${one}`), 0n);
}

function printV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === '0') length += 1;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return groups.join(':');
  const head = groups.slice(0, best.start).join(':');
  return `${head}::${groups.slice(best.start + best.length).join(':')}`;
}

export class IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;

  constructor(family: 4 | 6, value: bigint) {
    this.family = family;
    this.value = value;
  }

  toString(): string {
    if (this.family === 6) return printV6(this.value);
    return [24n, 16n, 8n, 0n].map((shift) => String((this.value >> shift) & 0xffn)).join('.');
  }

  equals(other: IpAddress): boolean {
    return this.family === other.family && this.value === other.value;
  }

  #top(bits: number): bigint {
    return this.value >> BigInt(BITS[this.family] - bits);
  }

  get isUnspecified(): boolean {
    return this.value === 0n;
  }

  get isLoopback(): boolean {
    return this.family === 4 ? this.#top(8) === 127n : this.value === 1n;
  }

  get isMulticast(): boolean {
    return this.family === 4 ? this.#top(4) === 0xen : this.#top(8) === 0xffn;
  }

  get isLinkLocalMulticast(): boolean {
    if (this.family === 4) return this.#top(24) === 0xe00000n;
    return this.#top(8) === 0xffn && (this.#top(16) & 0xfn) === 2n;
  }

  get isLinkLocalUnicast(): boolean {
    return this.family === 4 ? this.#top(16) === 0xa9fen : this.#top(10) === 0x3fan;
  }

  get isGlobalUnicast(): boolean {
    const isBroadcast = this.family === 4 && this.value === 0xffffffffn;
    const isSpecial = this.isUnspecified || this.isLoopback || this.isMulticast;
    return !isBroadcast && !isSpecial && !this.isLinkLocalUnicast;
  }
}

/** Throws CelFailure. */
export function parseIp(text: string): IpAddress {
  const quoted = JSON.stringify(text);
  const [plain = '', zone] = text.split('%');
  const value = plain.includes(':') ? parseV6(plain) : parseV4(plain);
  if (value === undefined || zone === '') {
    const why = `ParseAddr(${quoted}): unable to parse IP`;
    throw new CelFailure(`IP Address ${quoted} parse error during conversion from string: ${why}`);
  }
  if (zone !== undefined)
    throw new CelFailure(`IP address ${quoted} with zone value is not allowed`);
  if (!plain.includes(':')) return new IpAddress(4, value);
  if (value >> 32n === 0xffffn)
    throw new CelFailure(`IPv4-mapped IPv6 address ${quoted} is not allowed`);
  return new IpAddress(6, value);
}

export class Cidr {
  readonly address: IpAddress;
  readonly bits: number;

  constructor(address: IpAddress, bits: number) {
    this.address = address;
    this.bits = bits;
  }

  toString(): string {
    return `${this.address}/${this.bits}`;
  }

  #prefix(address: IpAddress): bigint {
    return address.value >> BigInt(BITS[address.family] - this.bits);
  }

  contains(address: IpAddress): boolean {
    return (
      address.family === this.address.family && this.#prefix(address) === this.#prefix(this.address)
    );
  }

  containsCidr(other: Cidr): boolean {
    return this.bits <= other.bits && this.contains(other.address);
  }

  masked(): Cidr {
    const shift = BigInt(BITS[this.address.family] - this.bits);
    const value = (this.address.value >> shift) << shift;
    return new Cidr(new IpAddress(this.address.family, value), this.bits);
  }

  equals(other: Cidr): boolean {
    return this.bits === other.bits && this.address.equals(other.address);
  }
}

/** Throws CelFailure. */
export function parseCidr(text: string): Cidr {
  const head = 'network address parse error during conversion from string: ';
  const fail = (why: string): CelFailure =>
    new CelFailure(`${head}${head}netip.ParsePrefix(${JSON.stringify(text)}): ${why}`);
  const at = text.lastIndexOf('/');
  if (at < 0) throw fail("no '/'");
  let address: IpAddress;
  try {
    address = parseIp(text.slice(0, at));
  } catch {
    throw fail('unable to parse IP');
  }
  const bits = text.slice(at + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(bits)) throw fail(`bad bits after slash: ${JSON.stringify(bits)}`);
  if (Number(bits) > BITS[address.family]) throw fail('prefix length out of range');
  return new Cidr(address, Number(bits));
}
