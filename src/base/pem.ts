// PEM (RFC 7468) as Go's encoding/pem reads and writes it, for all that carry certificates, requests and keys as text.

export interface PemBlock {
  readonly type: string;
  readonly hasHeaders: boolean;
  readonly der: Buffer;
}

/** All blocks of a text, whatever stands between them. */
export function pemBlocks(text: string): PemBlock[] {
  const found = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g);
  return [...found].map(([, type = '', body = '']) => {
    const hasHeaders = body.includes(':');
    const base64 = hasHeaders ? (body.split(/\r?\n\r?\n/)[1] ?? '') : body;
    return { type, hasHeaders, der: Buffer.from(base64, 'base64') };
  });
}

/** Without headers, 64 columns wide, with an end of line. */
export function pemText({ type, der }: Pick<PemBlock, 'type' | 'der'>): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${type}-----`, ...lines, `-----END ${type}-----`, ''].join('\n');
}

/** The certificates of a text, without what stands between and within them. */
export function certificatesOf(text: string): string[] {
  return pemBlocks(text)
    .filter(({ type }) => type === 'CERTIFICATE')
    .map(pemText);
}
