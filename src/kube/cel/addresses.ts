// IP addresses and networks as CEL values: parsed as Go's net/netip does, without zones and without IPv4
// inside of IPv6, printed in their one canonical form.

import { CelFailure } from './core-values.ts';
import {
  AddressFault,
  parseAddress,
  parsePrefix,
  type ParsedAddress,
  type ParsedPrefix,
} from './netip.ts';
import { parseType, type CelType } from './types.ts';
import type { OpaqueValue } from './values.ts';

const BITS = { 4: 32, 6: 128 } as const;

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

const IPADDRESS_TYPE = parseType('net.IP');

export class IpAddress implements OpaqueValue {
  readonly family: 4 | 6;
  readonly value: bigint;

  constructor(family: 4 | 6, value: bigint) {
    this.family = family;
    this.value = value;
  }

  get celType(): CelType {
    return IPADDRESS_TYPE;
  }

  toString(): string {
    if (this.family === 6) return printV6(this.value);
    return [24n, 16n, 8n, 0n].map((shift) => String((this.value >> shift) & 0xffn)).join('.');
  }

  /** Of the whole address. */
  get bits(): number {
    return BITS[this.family];
  }

  equals(other: unknown): boolean {
    return other instanceof IpAddress && this.isSame(other);
  }

  isSame(other: IpAddress): boolean {
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
  let found: ParsedAddress;
  try {
    found = parseAddress(text);
  } catch (error) {
    if (!(error instanceof AddressFault)) throw error;
    const why = `IP Address ${quoted} parse error during conversion from string: ${error.message}`;
    throw new CelFailure(why, { cause: error });
  }
  const { family, value, zone } = found;
  if (zone !== '') throw new CelFailure(`IP address ${quoted} with zone value is not allowed`);
  if (isMapped(found)) throw new CelFailure(`IPv4-mapped IPv6 address ${quoted} is not allowed`);
  return new IpAddress(family, value);
}

const isMapped = ({ family, value }: ParsedAddress): boolean =>
  family === 6 && value >> 32n === 0xffffn;

const CIDR_TYPE = parseType('net.CIDR');

export class Cidr implements OpaqueValue {
  readonly address: IpAddress;
  readonly bits: number;

  constructor(address: IpAddress, bits: number) {
    this.address = address;
    this.bits = bits;
  }

  get celType(): CelType {
    return CIDR_TYPE;
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

  equals(other: unknown): boolean {
    return other instanceof Cidr && this.isSame(other);
  }

  isSame(other: Cidr): boolean {
    return this.bits === other.bits && this.address.isSame(other.address);
  }
}

/** Throws CelFailure. */
export function parseCidr(text: string): Cidr {
  const head = 'network address parse error during conversion from string: ';
  let found: ParsedPrefix;
  try {
    found = parsePrefix(text);
  } catch (error) {
    if (error instanceof AddressFault)
      throw new CelFailure(`${head}${head}${error.message}`, { cause: error });
    throw error;
  }
  if (isMapped(found)) {
    const why = `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`;
    throw new CelFailure(head + why);
  }
  return new Cidr(new IpAddress(found.family, found.value), found.bits);
}
