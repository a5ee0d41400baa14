// Why a connection or a TLS handshake failed, in the words of Go's net and crypto/tls, which are in
// conditions and messages that people and tests read.
const unknownAuthority = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
]);

/** The names that the certificate has, of a refusal by node:tls. */
function wrongName(error: Error & { host?: string; cert?: { subjectaltname?: string } }): string {
  const names = (error.cert?.subjectaltname ?? '')
    .split(', ')
    .filter((one) => one.startsWith('DNS:'))
    .map((one) => one.slice('DNS:'.length));
  if (names.length === 0) {
    return `x509: certificate is not valid for any names, but wanted to match ${error.host}`;
  }
  return `x509: certificate is valid for ${names.join(', ')}, not ${error.host}`;
}

export function dialText(
  { host, port }: { readonly host: string; readonly port: number },
  error: Error & { readonly code?: string },
): string {
  const { code = '', message } = error;
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  if (code === 'ECONNREFUSED') return `dial tcp ${place}: connect: connection refused`;
  if (code === 'EHOSTUNREACH') return `dial tcp ${place}: connect: no route to host`;
  if (code === 'ENETUNREACH') return `dial tcp ${place}: connect: network is unreachable`;
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${host}: no such host`;
  if (code === 'ECONNRESET') return 'EOF';
  if (unknownAuthority.has(code)) {
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `tls: failed to verify certificate: ${wrongName(error)}`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
  }
  if (error.name === 'TimeoutError' || error.name === 'AbortError')
    return 'context deadline exceeded';
  return /certificate/i.test(message) ? `tls: failed to verify certificate: ${message}` : message;
}
