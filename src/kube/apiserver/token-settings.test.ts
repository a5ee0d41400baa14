// The flags about tokens of service accounts: what is refused in upstream's words, and what tokens say by them.
// What is answered is compared with kube-apiserver in test/support/token-steps.ts.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { decodeJwt } from 'jose';
import type { Fault } from '#base/fault.ts';
import { flagKey } from './access-flag-names.ts';
import { newUse } from './legacy-tokens.ts';
import { tokenSettings } from './token-settings.ts';
import { TokenAuthority } from './tokens.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { Target } from '#test/support/kube-sender.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type GivenFlags } from '#test/support/step-target.ts';

const keyed = (flags: GivenFlags): Record<string, unknown> =>
  Object.fromEntries(Object.entries(flags).map(([name, value]) => [flagKey(name), value]));

const ISSUER = 'service-account-issuer';
const KEYS = 'service-account-jwks-uri';
const MAX = 'service-account-max-token-expiration';
const EXTEND = 'service-account-extend-token-expiration';
const between = 'the service-account-max-token-expiration must be between 1 hour and 2^32 seconds';

const refused: readonly (readonly [flag: string, value: string | string[], why: string])[] = [
  [
    ISSUER,
    ['https://a.test', 'https://a.test'],
    'service-account-issuer "https://a.test" is already specified',
  ],
  [ISSUER, '', 'service-account-issuer should not be an empty string'],
  [ISSUER, ['a', ''], 'service-account-issuer should not be an empty string'],
  [
    ISSUER,
    ':x',
    `service-account-issuer ":x" contained a ':' but was not a valid URL: parse ":x": missing protocol scheme`,
  ],
  [
    ISSUER,
    'a b:c',
    `service-account-issuer "a b:c" contained a ':' but was not a valid URL: parse "a b:c": first path segment in URL cannot contain colon`,
  ],
  [KEYS, 'http://x', 'service-account-jwks-uri requires https scheme, parsed as: http://x'],
  [KEYS, 'keys', 'service-account-jwks-uri requires https scheme, parsed as: keys'],
  [KEYS, ':x', 'service-account-jwks-uri must be a valid URL: parse ":x": missing protocol scheme'],
  [
    KEYS,
    'foo://x%',
    'service-account-jwks-uri must be a valid URL: parse "foo://x%": invalid URL escape "%"',
  ],
  [MAX, '59m59s', between],
  [MAX, '-1h', between],
  [MAX, '1193046h28m17s', between],
  [MAX, '5', `invalid argument "5" for "--${MAX}" flag: time: missing unit in duration "5"`],
  [
    EXTEND,
    'perhaps',
    `invalid argument "perhaps" for "--${EXTEND}" flag: strconv.ParseBool: parsing "perhaps": invalid syntax`,
  ],
];

for (const [flag, value, why] of refused) {
  test(`--${flag} ${JSON.stringify(value)} is refused`, () => {
    assert.throws(
      () => tokenSettings(keyed({ [flag]: value })),
      (error: Fault) => {
        assert.equal(error.message, `Cannot use --${flag}: ${why}`);
        return true;
      },
    );
  });
}

test('the first issuer issues, and all are audiences unless others are named', () => {
  const flags = { [ISSUER]: ['b:%zz', 'https://a.test'], [MAX]: '1h', [EXTEND]: 'F' };
  const settings = tokenSettings(keyed(flags));
  assert.deepEqual(settings, {
    issuers: ['b:%zz', 'https://a.test'],
    audiences: ['b:%zz', 'https://a.test'],
    jwksUri: undefined,
    secondsMax: 3_600,
    secondsExtended: YEAR,
    isExtended: false,
  });
  const named = tokenSettings(keyed({ ...flags, 'api-audiences': ['a,b', 'c'] }));
  assert.deepEqual(named.audiences, ['a', 'b', 'c']);
});

type Made = KubeObject & {
  readonly spec: { readonly expirationSeconds?: number };
  readonly status: { readonly token?: string };
};

const UNASKED = 3_607;
const YEAR = 365 * 24 * 60 * 60;

async function post(target: Target, path: string, body: object): Promise<Made> {
  const answer = await sendStep(target, { name: path, method: 'POST', path, body });
  assert.equal(answer.status, 201);
  return answer.body as Made;
}

/** Of a pod, as its kubelet asks for it. */
async function podToken(target: Target, spec: object = {}): Promise<string> {
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'p' };
  const path = '/api/v1/namespaces/default/serviceaccounts/ann/token';
  const body = { spec: { expirationSeconds: UNASKED, boundObjectRef, ...spec } };
  const { spec: got, status } = await post(target, path, body);
  assert.equal(got.expirationSeconds, UNASKED);
  return String(status.token);
}

function livesOf(token: string): { seconds: number; warnSeconds: number | undefined } {
  const { iat = 0, exp = 0, 'kubernetes.io': claim } = decodeJwt(token);
  const { warnafter } = claim as { warnafter?: number };
  return { seconds: exp - iat, warnSeconds: warnafter === undefined ? undefined : warnafter - iat };
}

test('tokens that pods get unasked live a year, and who uses one late is written down', async () => {
  const own = await startOwnServer({
    flags: keyed({ [MAX]: '2h', 'advertise-address': '192.0.2.1' }),
  });
  try {
    const place = '/api/v1/namespaces/default';
    const account = await post(own.target, `${place}/serviceaccounts`, {
      metadata: { name: 'ann' },
    });
    const pod = await post(own.target, `${place}/pods`, {
      metadata: { name: 'p' },
      spec: { serviceAccountName: 'ann', containers: [{ name: 'a', image: 'a' }] },
    });
    const token = await podToken(own.target);
    assert.deepEqual(livesOf(token), { seconds: YEAR, warnSeconds: UNASKED });
    const forOthers = await podToken(own.target, { audiences: ['them'] });
    assert.deepEqual(livesOf(forOthers), { seconds: UNASKED, warnSeconds: undefined });
    const unbound = await podToken(own.target, { boundObjectRef: undefined });
    assert.deepEqual(livesOf(unbound), { seconds: UNASKED, warnSeconds: undefined });
    const path = '/.well-known/openid-configuration';
    const { body } = await sendStep(own.target, { name: 'issuer', method: 'GET', path });
    const { port } = new URL(own.target.server);
    assert.equal(
      (body as { jwks_uri: string }).jwks_uri,
      `https://192.0.2.1:${port}/openid/v1/jwks`,
    );

    const hook = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      name: 'x',
    };
    const gated = await sendStep(own.target, {
      name: 'of a webhook',
      method: 'POST',
      path: `${place}/serviceaccounts/ann/token`,
      body: { spec: { audiences: ['them'], boundObjectRef: hook } },
    });
    assert.equal(gated.status, 400);
    assert.equal(
      (gated.body as { message: string }).message,
      'cannot bind token to object of type admissionregistration.k8s.io/v1, Kind=MutatingWebhookConfiguration (feature gate APIServerWebhookAuthenticationToken is disabled)',
    );

    const tokens = await TokenAuthority.open(join(own.home, 'pki'));
    const found: Readonly<Record<string, KubeObject>> = { serviceaccounts: account, pods: pod };
    const lookup = async (resource: string) => found[resource];
    const usedAt = async (seconds: number) => {
      const use = newUse();
      const now = ((decodeJwt(token).iat ?? 0) + seconds) * 1_000;
      assert.ok((await tokens.verify(token, { lookup, now, use })) !== undefined);
      return [use.counts, use.annotations];
    };
    assert.deepEqual(await usedAt(UNASKED), [['valid_tokens_total'], {}]);
    assert.deepEqual(await usedAt(UNASKED + 5), [
      ['stale_tokens_total'],
      {
        'authentication.k8s.io/stale-token':
          'subject: system:serviceaccount:default:ann, seconds after warning threshold: 5',
      },
    ]);
    const next = await own.restart({ flags: keyed({ [EXTEND]: 'false' }) });
    const short = await podToken(next);
    assert.deepEqual(livesOf(short), { seconds: UNASKED, warnSeconds: undefined });
  } finally {
    await own.close();
  }
});
