// Tokens that somebody else signs: they are let in, the keys are told, and what is wrong is said in upstream's words.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, beforeEach } from 'node:test';
import { loadPackageDefinition, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServiceClientConstructor } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Fault } from '#base/fault.ts';
import { flagKey } from './access-flag-names.ts';
import { signerSchema } from './external-signer-schema.ts';
import { sendStep } from '#test/support/step-player.ts';
import type { Target } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-signer-'));
const socket = join(folder, 'signer.sock');

const pairs = {
  first: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  second: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
type Name = keyof typeof pairs;

const keyOf = (name: Name, isHidden = false): object => ({
  keyId: name,
  key: pairs[name].publicKey.export({ type: 'spki', format: 'der' }),
  excludeFromOidcDiscovery: isHidden,
});

interface Signer {
  by: Name;
  header: Record<string, unknown>;
  keys: object[];
  refreshSeconds: number;
  dataTimestamp: object | undefined;
  secondsMax: number;
  failure: { code: number; details: string } | undefined;
  signature: string | undefined;
}

const well = (): Signer => ({
  by: 'first',
  header: {},
  keys: [keyOf('first')],
  refreshSeconds: 600,
  dataTimestamp: { seconds: 7, nanos: 500_000_000 },
  secondsMax: 7_200,
  failure: undefined,
  signature: undefined,
});
let signer = well();

type Done = (error: object | null, answer?: object) => void;

function signed({ claims }: { claims: string }): object {
  const plain = { alg: 'ES256', kid: signer.by, typ: 'JWT', ...signer.header };
  const header = Buffer.from(JSON.stringify(plain)).toString('base64url');
  const key = { key: pairs[signer.by].privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const signature = sign('sha256', Buffer.from(`${header}.${claims}`), key).toString('base64url');
  return { header, signature: signer.signature ?? signature };
}

const server = new Server();

before(async () => {
  const definition = loadPackageDefinition(fromJSON(signerSchema as never, {}));
  const { v1 } = definition as unknown as { v1: Record<string, ServiceClientConstructor> };
  const answered =
    (answer: (request: never) => object) =>
    ({ request }: { request: unknown }, done: Done): void =>
      signer.failure === undefined ? done(null, answer(request as never)) : done(signer.failure);
  server.addService(v1['ExternalJWTSigner']!.service, {
    Sign: answered(signed),
    FetchKeys: answered(() => ({
      keys: signer.keys,
      dataTimestamp: signer.dataTimestamp,
      refreshHintSeconds: signer.refreshSeconds,
    })),
    Metadata: answered(() => ({ maxTokenExpirationSeconds: signer.secondsMax })),
  });
  await new Promise<void>((done, fail) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? done() : fail(error),
    ),
  );
});

beforeEach(() => (signer = well()));

after(() => {
  server.forceShutdown();
  rmSync(folder, { recursive: true });
});

const ENDPOINT = 'service-account-signing-endpoint';
const keyed = (flags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ [ENDPOINT]: socket, ...flags }).map(([name, value]) => [flagKey(name), value]),
  );

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';

async function asked(
  target: Target,
  spec: object = {},
): Promise<{ status: number; token: string; message: string; warnings: readonly string[] }> {
  const step = { name: 'ask', method: 'POST', path: `${ACCOUNTS}/default/token`, body: { spec } };
  const { status: code, body, warnings } = await sendStep(target, step);
  const { status: found, message = '' } = body as { status?: { token?: string }; message?: string };
  return { status: code, token: found?.token ?? '', message, warnings };
}

async function whoIs(target: Target, token: string): Promise<unknown> {
  const path = '/apis/authentication.k8s.io/v1/tokenreviews';
  const { body } = await sendStep(target, {
    name: 'review',
    method: 'POST',
    path,
    body: { spec: { token } },
  });
  const { user, error } = (body as { status: { user: { username?: string }; error?: string } })
    .status;
  return user.username ?? error;
}

async function get(target: Target, path: string): Promise<never> {
  return (await sendStep(target, { name: path, method: 'GET', path })).body as never;
}

const DEFAULT = 'system:serviceaccount:default:default';

test('tokens are signed there and checked by the keys from there', async () => {
  const own = await startOwnServer({ flags: keyed({}) });
  try {
    await sendStep(own.target, {
      name: 'account',
      method: 'POST',
      path: ACCOUNTS,
      body: { metadata: { name: 'default' } },
    });
    const made = await asked(own.target, { expirationSeconds: 100_000 });
    assert.equal(made.status, 201, made.message);
    assert.deepEqual(made.warnings, [
      '299 - "requested expiration of 100000 seconds shortened to 7200 seconds"',
    ]);
    assert.deepEqual(decodeProtectedHeader(made.token), { alg: 'ES256', kid: 'first', typ: 'JWT' });
    const { iat = 0, exp = 0, sub } = decodeJwt(made.token);
    assert.deepEqual([exp - iat, sub], [7_200, DEFAULT]);
    assert.equal(await whoIs(own.target, made.token), DEFAULT);

    // Another key: it is asked for when it is seen first.
    signer.by = 'second';
    const unknown = await asked(own.target);
    assert.equal(unknown.status, 201);
    assert.match(
      String(await whoIs(own.target, unknown.token)),
      /invalid signature, no keys found/,
    );
    signer.keys = [keyOf('first', true), keyOf('second')];
    assert.equal(await whoIs(own.target, unknown.token), DEFAULT);
    assert.equal(await whoIs(own.target, made.token), DEFAULT);
    const { keys } = (await get(own.target, '/openid/v1/jwks')) as { keys: { kid: string }[] };
    assert.deepEqual(
      keys.map(({ kid }) => kid),
      ['second'],
    );

    for (const [change, why] of [
      [
        { by: 'first' },
        'while validating header: key used for signing JWT (kid: first) is excluded from OIDC discovery docs',
      ],
      [{ header: { typ: 'x' } }, 'while validating header: bad type'],
      [{ header: { kid: undefined } }, 'while validating header: key id missing'],
      [{ header: { kid: 'x'.repeat(1_025) } }, 'while validating header: key id longer than 1 kb'],
      [{ header: { alg: 'HS256' } }, 'while validating header: bad signing algorithm "HS256"'],
      [
        { header: { crit: [] } },
        'while validating header: while parsing header JSON: json: unknown field "crit"',
      ],
      [{ signature: '' }, 'empty signature returned'],
      [
        { failure: { code: status.PERMISSION_DENIED, details: 'no' } },
        'while signing jwt: rpc error: code = PermissionDenied desc = no',
      ],
    ] as const) {
      Object.assign(signer, { ...well(), keys: signer.keys, by: 'second' }, change);
      const refused = await asked(own.target);
      const message = `Internal error occurred: failed to generate token: ${why}`;
      assert.deepEqual([refused.status, refused.message], [500, message]);
    }

    const page = String(await get(own.target, '/metrics'));
    assert.match(page, /^apiserver_externaljwt_sign_request_total\{code="OK"\} 2$/m);
    assert.match(page, /^apiserver_externaljwt_sign_request_total\{code="PermissionDenied"\} 1$/m);
    assert.match(page, /^apiserver_externaljwt_fetch_keys_data_timestamp 7\.5$/m);
    assert.match(
      page,
      /^apiserver_externaljwt_request_duration_seconds_count\{code="OK",method="\/v1\.ExternalJWTSigner\/Metadata"\} 1$/m,
    );
  } finally {
    await own.close();
  }
});

const before1 = 'while setting up external-jwt-signer: while initially filling key cache: ';
const before2 = `${before1}while performing initial cache fill: while fetching token verification keys: `;

const refused: readonly (readonly [
  name: string,
  change: Partial<Signer>,
  flags: Readonly<Record<string, string>>,
  why: string,
])[] = [
  ['no keys', { keys: [] }, {}, `${before2}found no keys`],
  ['a wrong hint', { refreshSeconds: 0 }, {}, `${before2}found invalid refresh hint (0s)`],
  [
    'no time',
    { dataTimestamp: undefined },
    {},
    `${before2}invalid data timestamp: proto: invalid nil Timestamp`,
  ],
  [
    'a key without a name',
    { keys: [{ keyId: '', key: Buffer.from('x') }] },
    {},
    `${before2}found invalid public key id ""`,
  ],
  ['an empty key', { keys: [{ keyId: 'a' }] }, {}, `${before2}found empty public key`],
  [
    'a failure',
    { failure: { code: status.UNAUTHENTICATED, details: 'who' } },
    {},
    `${before2}while getting externally supported jwt signing keys: rpc error: code = Unauthenticated desc = who`,
  ],
  [
    'too short a life',
    { secondsMax: 599 },
    {},
    'max token life supported by external-jwt-signer (599s) is less than acceptable (min 600s)',
  ],
  [
    'keys of files beside',
    {},
    { 'service-account-key-file': '/x' },
    "can't set `--service-account-signing-key-file` and/or `--service-account-key-file` with `--service-account-signing-endpoint` (They are mutually exclusive)",
  ],
  [
    'a key that signs beside',
    {},
    { 'service-account-signing-key-file': '/x' },
    'service-account-signing-key-file and service-account-signing-endpoint are mutually exclusive and cannot be set at the same time',
  ],
  [
    'a name that is none',
    {},
    { [ENDPOINT]: '@a b' },
    'invalid value "@a b" passed for `--service-account-signing-endpoint`, when prefixed with @ must be a valid abstract socket name',
  ],
];

for (const [name, change, flags, why] of refused) {
  test(`refused: ${name}`, async () => {
    Object.assign(signer, change);
    await assert.rejects(startOwnServer({ flags: keyed(flags) }), (error: Fault) => {
      assert.equal(error.message, `Cannot use --${ENDPOINT}: ${why}`);
      return true;
    });
  });
}

test('refused: a longer life than there', async () => {
  const MAX = 'service-account-max-token-expiration';
  await assert.rejects(startOwnServer({ flags: keyed({ [MAX]: '3h' }) }), {
    message: `Cannot use --${MAX}: ${MAX} cannot be set longer than the token expiration supported by service-account-signing-endpoint: 3h0m0s > 2h0m0s`,
  });
});
