// UUIDs as the 16 bytes that status updates carry; Mesos refuses bytes that are no version of UUID.

export function uuidBytes(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll('-', '').match(/../g) ?? [], (pair) =>
    Number.parseInt(pair, 16),
  );
}

/** Versions 1 to 5 of the variant of RFC 4122, as Mesos checks it. */
export function isUuid(bytes: Uint8Array): boolean {
  const version = (bytes[6] ?? 0) >> 4;
  return bytes.length === 16 && version >= 1 && version <= 5 && ((bytes[8] ?? 0) & 0xc0) === 0x80;
}
