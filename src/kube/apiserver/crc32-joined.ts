// The CRC-32 of two pieces of data one after the other, out of the CRCs of each: multiplication of polynomials over
// GF(2) modulo that of CRC-32 (RFC 1952, section 8), lowest term in the highest bit.

const POLYNOMIAL = 0xedb8_8320;
const ONE = 0x8000_0000;

function multiplied(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

/** x to the power of 8, 16, 32 …: what so many bytes that follow do to a CRC. */
const powers: readonly number[] = (() => {
  const found = [0x0080_0000];
  for (let i = 1; i < 53; i++) found.push(multiplied(found[i - 1] ?? 0, found[i - 1] ?? 0));
  return found;
})();

/** What `bytes` more bytes do to the CRC of what is before them; for joinedCrc(). */
export function shiftOf(bytes: number): number {
  let shift = ONE;
  let rest = bytes;
  for (const power of powers) {
    if (rest % 2 === 1) shift = multiplied(power, shift);
    rest = Math.floor(rest / 2);
    if (rest === 0) break;
  }
  return shift;
}

export function joinedCrc(first: number, second: number, shiftOfSecond: number): number {
  return (multiplied(shiftOfSecond, first) ^ second) >>> 0;
}
