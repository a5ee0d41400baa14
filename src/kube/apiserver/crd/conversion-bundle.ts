// The certificates that a conversion webhook is trusted by: whether there is any among what a definition has.
import { X509Certificate } from 'node:crypto';

interface Conversion {
  readonly webhook?: { readonly clientConfig?: { readonly caBundle?: string } };
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g;

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Why none of the text can be used, as client-go says it; undefined when one can. */
export function bundleFault(pem: string): string | undefined {
  const head = 'unable to load root certificates: ';
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length === 0) return `${head}unable to parse bytes as PEM block`;
  const certificates = blocks.filter(([, type]) => type === 'CERTIFICATE').map(([all]) => all);
  if (certificates.some(isCertificate)) return undefined;
  return certificates.length === 0
    ? `${head}no valid certificate authority data seen`
    : `${head}failed to parse certificate: x509: malformed certificate`;
}

/** The bundle as text; undefined when there is none. */
export function bundleOf(conversion: unknown): string | undefined {
  const bundle = ((conversion ?? {}) as Conversion).webhook?.clientConfig?.caBundle;
  return bundle === undefined || bundle === ''
    ? undefined
    : Buffer.from(bundle, 'base64').toString();
}

export function hasUnusableBundle(conversion: unknown): boolean {
  const bundle = bundleOf(conversion);
  return bundle !== undefined && bundleFault(bundle) !== undefined;
}
