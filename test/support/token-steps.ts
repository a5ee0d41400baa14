// Tokens of service accounts, by the flags about them: one life of the server after another, on what is stored.
import type { Step } from './step-player.ts';
import type { GivenFlags } from './step-target.ts';

const account = '/api/v1/namespaces/default/serviceaccounts/ann';
const ANY = '/apis/authentication.k8s.io/v1';

const post = (name: string, path: string, body: object): Step => ({
  name,
  method: 'POST',
  path,
  body,
});

interface TokenSpec {
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: object;
}

/** It can be used in later lives as @{name}. */
const asked = (name: string, spec: TokenSpec = {}): Step => ({
  ...post(name, `${account}/token`, { spec }),
  keep: ({ status }) => (status as { token?: string } | undefined)?.token ?? '',
});

const reviewed = (name: string, token: string, audiences?: readonly string[]): Step =>
  post(name, `${ANY}/tokenreviews`, { spec: { token: `@{${token}}`, audiences } });

const used = (name: string, token: string): Step => ({
  ...post(name, `${ANY}/selfsubjectreviews`, {}),
  headers: { authorization: `Bearer @{${token}}` },
});

function every(life: string, tokens: readonly string[]): Step[] {
  return tokens.flatMap((token) => [
    reviewed(`${life}: ${token} reviewed`, token),
    reviewed(`${life}: ${token} for others`, token, ['them', 'https://a.test', 'https://b.test']),
    reviewed(`${life}: ${token} for another`, token, ['another']),
    used(`${life}: ${token} used`, token),
  ]);
}

const documents = (life: string): Step[] =>
  ['GET', 'HEAD', 'POST'].flatMap((method) => [
    { name: `${life}: issuer by ${method}`, method, path: '/.well-known/openid-configuration' },
    ...(method === 'GET'
      ? []
      : [{ name: `${life}: keys by ${method}`, method, path: '/openid/v1/jwks' }]),
  ]);

const pod = { apiVersion: 'v1', kind: 'Pod', name: 'p' };

const first = (): Step[] => [
  post('an account', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'ann' } }),
  post('a pod', '/api/v1/namespaces/default/pods', {
    metadata: { name: 'p' },
    spec: { serviceAccountName: 'ann', containers: [{ name: 'a', image: 'a' }] },
  }),
  asked('of one'),
  asked('of one, long', { expirationSeconds: 90_000 }),
  asked('of one, for them', { audiences: ['them'] }),
  asked('of one, for both', { audiences: ['them', 'https://a.test', 'another'] }),
  asked('of one, of a pod', { expirationSeconds: 3_607, boundObjectRef: pod }),
  ...every('first', ['of one', 'of one, for them', 'of one, for both', 'of one, of a pod']),
  ...documents('first'),
];

const second = (): Step[] => [
  asked('of two'),
  asked('of two, long', { expirationSeconds: 7_201 }),
  asked('of two, not too long', { expirationSeconds: 7_200 }),
  asked('of two, of a pod', { expirationSeconds: 90_000, boundObjectRef: pod }),
  ...every('second', ['of one', 'of one, for both', 'of two', 'of two, long']),
  ...documents('second'),
];

const third = (): Step[] => [
  asked('of three'),
  asked('of three, for one', { audiences: ['https://a.test'] }),
  asked('of three, for them', { audiences: ['them'] }),
  asked('of three, of a pod', { expirationSeconds: 3_607, boundObjectRef: pod }),
  ...every('third', [
    'of one',
    'of one, for both',
    'of two',
    'of three',
    'of three, for one',
    'of three, for them',
  ]),
  ...documents('third'),
];

const fourth = (): Step[] => [
  asked('of four'),
  ...every('fourth', ['of one', 'of four']),
  ...documents('fourth'),
  { name: 'fourth: paths', method: 'GET', path: '/nothing' },
];

export const tokenLives: Readonly<
  Record<string, { readonly flags: GivenFlags; readonly steps: () => readonly Step[] }>
> = {
  'tokens of an issuer': {
    flags: {
      'service-account-issuer': 'https://a.test',
      'service-account-jwks-uri': 'https://keys.test',
    },
    steps: first,
  },
  'tokens of two issuers, for two hours': {
    flags: {
      'service-account-issuer': ['https://b.test', 'https://a.test'],
      'service-account-jwks-uri': 'https://keys.test/all',
      'service-account-max-token-expiration': '2h',
      'service-account-extend-token-expiration': 'false',
    },
    steps: second,
  },
  'tokens for others': {
    flags: {
      'service-account-issuer': ['https://c.test/x', 'https://b.test'],
      'service-account-jwks-uri': 'https://keys.test',
      'api-audiences': 'another,them',
    },
    steps: third,
  },
  'tokens of an issuer that is no address': {
    flags: { 'service-account-issuer': ['somebody', 'https://a.test'] },
    steps: fourth,
  },
};
