// The flags about TLS: what is refused in upstream's words, what a handshake comes to by them, and what browsers are told.
import assert from 'node:assert/strict';
import { connect, type ConnectionOptions } from 'node:tls';
import test from 'node:test';
import type { Fault } from '#base/fault.ts';
import { flagKey } from './access-flag-names.ts';
import { strictTransport, tlsSettings } from './tls-settings.ts';
import { senderTo } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const keyed = (flags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(flags).map(([name, value]) => [flagKey(name), value]));

const STRICT = 'strict-transport-security-directives';
const CIPHERS = 'tls-cipher-suites';
const VERSION = 'tls-min-version';
const CURVES = 'tls-curve-preferences';
const allowed = `--${STRICT} invalid, allowed values: max-age=expireTime, includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information`;
const lacking =
  'error configuring http2: http2: TLSConfig.CipherSuites is missing an HTTP/2-required AES_128_GCM_SHA256 cipher (need at least one of TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)';

const refused: readonly (readonly [flag: string, value: string, why: string])[] = [
  [CIPHERS, 'x', "Cipher suite x not supported or doesn't exist"],
  [CIPHERS, 'toString', "Cipher suite toString not supported or doesn't exist"],
  [CIPHERS, 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', lacking],
  [VERSION, 'x', 'unknown tls version "x"'],
  [VERSION, 'TLSv1.2', 'unknown tls version "TLSv1.2"'],
  [CURVES, '29,29', 'duplicate curve preference 29'],
  [CURVES, '0', 'curve preference 0 is out of range (must be 1-65535)'],
  [CURVES, '-0x17', 'curve preference -23 is out of range (must be 1-65535)'],
  [CURVES, '30', 'curve preference 30 is not supported by the current Go version'],
  [
    CURVES,
    'x',
    `invalid argument "x" for "--${CURVES}" flag: strconv.ParseInt: parsing "x": invalid syntax`,
  ],
  [
    CURVES,
    '2147483648',
    `invalid argument "2147483648" for "--${CURVES}" flag: strconv.ParseInt: parsing "2147483648": value out of range`,
  ],
  [STRICT, 'x', allowed],
  [STRICT, 'max-age=1=2', allowed],
  [STRICT, 'max-age', allowed],
  [STRICT, 'preload,,max-age=1=2', `[empty value in ${STRICT}, ${allowed}]`],
  [STRICT, 'preload, ', `empty value in ${STRICT}`],
];

for (const [flag, value, why] of refused) {
  test(`--${flag} ${JSON.stringify(value)} is refused`, () => {
    const read = flag === STRICT ? strictTransport : tlsSettings;
    assert.throws(
      () => read(keyed({ [flag]: value })),
      (error: Fault) => {
        assert.equal(error.message, `Cannot use --${flag}: ${why}`);
        return true;
      },
    );
  });
}

/** Protocol and cipher, or the code of the failure. */
async function agreed(server: string, options: ConnectionOptions): Promise<string> {
  const { hostname: host, port } = new URL(server);
  return await new Promise((done) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ...options });
    socket.once('secureConnect', () => {
      done(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => done(String(error.code)));
  });
}

const BIG = 'ECDHE-ECDSA-AES256-GCM-SHA384';
const SMALL = 'ECDHE-ECDSA-AES128-GCM-SHA256';

test('clients agree on what the flags let them', async () => {
  const flags = keyed({
    [CIPHERS]: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_RC4_128_SHA',
    [STRICT]: 'max-age=31536000,includeSubDomains',
  });
  const own = await startOwnServer({ flags });
  try {
    const old = { maxVersion: 'TLSv1.2' } as const;
    assert.equal(await agreed(own.target.server, old), `TLSv1.2 ${SMALL}`);
    assert.equal(
      await agreed(own.target.server, { ...old, ciphers: BIG }),
      'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    );
    assert.match(await agreed(own.target.server, {}), /^TLSv1\.3 TLS_/);
    for (const path of ['/version', '/nothing', '/api/v1/namespaces/default', '/livez']) {
      const { headers } = await senderTo(own.target)({ method: 'GET', path, headers: {} });
      assert.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains');
    }
    // An error of what was to be upgraded is an answer as any.
    const { status, headers: refused } = await senderTo(own.target)({
      method: 'POST',
      path: '/api/v1/namespaces/default/pods/none/exec?command=ls',
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1' },
    });
    assert.equal(status, 404);
    assert.equal(refused['strict-transport-security'], 'max-age=31536000; includeSubDomains');
    assert.equal(refused['cache-control'], 'no-cache, private');
    assert.match(String(refused['audit-id']), /^[0-9a-f-]{36}$/);
    const next = await own.restart({ flags: keyed({ [VERSION]: 'VersionTLS13' }) });
    assert.equal(await agreed(next.server, old), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    assert.match(await agreed(next.server, {}), /^TLSv1\.3 TLS_/);
    const { headers } = await senderTo(next)({ method: 'GET', path: '/version', headers: {} });
    assert.equal(headers['strict-transport-security'], undefined);
  } finally {
    await own.close();
  }
});

test('keys are agreed on in the ways that the flag names', async () => {
  const own = await startOwnServer({ flags: keyed({ [CURVES]: '29,24' }) });
  try {
    for (const [ecdhCurve, wanted] of [
      ['X25519', /^TLSv1\.3 /],
      ['P-384', /^TLSv1\.3 /],
      ['P-256', /HANDSHAKE_FAILURE$/],
      ['X25519MLKEM768', /HANDSHAKE_FAILURE$/],
    ] as const) {
      assert.match(await agreed(own.target.server, { ecdhCurve }), wanted, ecdhCurve);
    }
  } finally {
    await own.close();
  }
});
