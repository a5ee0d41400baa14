// Everything outside that a server may ask about access: two issuers of tokens, a webhook that knows tokens and
// one that knows who may what, a file of tokens; the flags that name them, and requests that need them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { Authority } from '#kube/pki/authority.ts';
import type { Step } from './step-player.ts';
import { startWebhookServer, type WebhookServer } from './webhook-server.ts';

type Json = Record<string, unknown>;

export class Issuer {
  readonly url: string;
  readonly #key: CryptoKey;
  readonly #server: Server;

  private constructor(url: string, key: CryptoKey, server: Server) {
    this.url = url;
    this.#key = key;
    this.#server = server;
  }

  static async start(authority: Authority, algorithm: string): Promise<Issuer> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm);
    const jwk: JWK = { ...(await exportJWK(publicKey)), alg: algorithm, use: 'sig', kid: 'k1' };
    const identity = { commonName: 'issuer', names: ['localhost'], ips: ['127.0.0.1'] };
    const pair = await authority.issueServer(identity, Date.now());
    let url = '';
    const server = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
      const isKeys = request.url === '/keys';
      const found = {
        issuer: url,
        jwks_uri: `${url}/keys`,
        response_types_supported: ['id_token'],
      };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isKeys ? { keys: [jwk] } : found));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    url = `https://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
    return new Issuer(url, privateKey, server);
  }

  async token(
    claims: Json,
    more: { audience?: string | string[]; endsInS?: number; algorithm: string },
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    return await new SignJWT({ jti: 'id-1', ...claims })
      .setProtectedHeader({ alg: more.algorithm, kid: 'k1' })
      .setIssuer(this.url)
      .setAudience(more.audience ?? 'strata')
      .setIssuedAt(now - 60)
      .setExpirationTime(now + (more.endsInS ?? 3_600))
      .sign(this.#key);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

function tokenAnswer(review: Json): Json {
  const { token } = review['spec'] as { token: string };
  const users: Readonly<Record<string, Json>> = {
    'hook-wanda': {
      authenticated: true,
      user: { username: 'wanda', uid: '42', groups: ['hooked'], extra: { 'a.test/k': ['v', 'w'] } },
    },
    'hook-error': { authenticated: false, error: 'the token was revoked' },
  };
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    status: users[token] ?? { authenticated: false },
  };
}

function accessAnswer(review: Json): Json {
  const { user, resourceAttributes = {} } = review['spec'] as {
    user: string;
    resourceAttributes?: Json;
  };
  const { resource, namespace } = resourceAttributes;
  const status =
    resource === 'secrets'
      ? { allowed: false, denied: true, reason: 'nobody reads secrets here' }
      : namespace === 'open'
        ? { allowed: true, reason: `${user} is welcome` }
        : { allowed: false, reason: 'not one of ours' };
  return { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', status };
}

export interface AccessWorld {
  /** As kube-apiserver takes them. */
  readonly flags: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  readonly webhook: WebhookServer;
  close(): Promise<void>;
}

const hookConfig = (url: string, ca: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'hook', cluster: { server: url, 'certificate-authority-data': ca } }],
    users: [{ name: 'hook', user: {} }],
    contexts: [{ name: 'hook', context: { cluster: 'hook', user: 'hook' } }],
    'current-context': 'hook',
  });

function authentication(first: Issuer, second: Issuer, ca: string): Json {
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    anonymous: { enabled: true, conditions: [{ path: '/healthz' }, { path: '/livez' }] },
    jwt: [
      {
        issuer: { url: first.url, audiences: ['strata'], certificateAuthority: ca },
        claimMappings: {
          username: { claim: 'sub', prefix: 'first:' },
          groups: { claim: 'roles', prefix: 'r:' },
          uid: { claim: 'oid' },
        },
        claimValidationRules: [{ claim: 'hd', requiredValue: 'a.test' }],
      },
      {
        issuer: {
          url: second.url,
          audiences: ['one', 'two'],
          audienceMatchPolicy: 'MatchAny',
          certificateAuthority: ca,
        },
        claimMappings: {
          username: { expression: 'claims.name + "@second"' },
          groups: { expression: 'claims.teams' },
          uid: { expression: 'string(claims.number)' },
          extra: [{ key: 'a.test/level', valueExpression: 'claims.level' }],
        },
        claimValidationRules: [
          { expression: 'claims.exp - claims.iat <= 86400', message: 'tokens live a day at most' },
        ],
        userValidationRules: [
          {
            expression: '!user.username.startsWith("system:")',
            message: 'no names of the system',
          },
        ],
      },
    ],
  };
}

const authorization = (file: string): Json => ({
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AuthorizationConfiguration',
  authorizers: [
    {
      type: 'Webhook',
      name: 'hook',
      webhook: {
        timeout: '5s',
        subjectAccessReviewVersion: 'v1',
        matchConditionSubjectAccessReviewVersion: 'v1',
        failurePolicy: 'Deny',
        authorizedTTL: '30s',
        unauthorizedTTL: '30s',
        connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: file },
        matchConditions: [
          { expression: 'has(request.resourceAttributes)' },
          { expression: '!(request.user.startsWith("system:"))' },
          { expression: '!("system:masters" in request.groups)' },
        ],
      },
    },
    { type: 'Node', name: 'node' },
    { type: 'RBAC', name: 'rbac' },
  ],
});

const reviews = '/apis/authentication.k8s.io/v1';

async function stepsOf(first: Issuer, second: Issuer): Promise<Step[]> {
  const es = { algorithm: 'ES256' };
  const rs = { algorithm: 'RS256', audience: 'two' };
  const ann = { sub: 'ann', oid: '7', hd: 'a.test', roles: ['dev', 'ops'] };
  const bob = { name: 'bob', number: 5, level: ['high', ''], teams: ['a'] };
  const tokens: Readonly<Record<string, string>> = {
    first: await first.token(ann, es),
    'first: one role': await first.token({ ...ann, roles: 'dev' }, es),
    'first: no name': await first.token({ ...ann, sub: undefined }, es),
    'first: roles are numbers': await first.token({ ...ann, roles: [1] }, es),
    'first: another domain': await first.token({ ...ann, hd: 'b.test' }, es),
    'first: no domain': await first.token({ ...ann, hd: undefined }, es),
    'first: for others': await first.token(ann, { ...es, audience: 'others' }),
    second: await second.token(bob, rs),
    'second: no team': await second.token({ ...bob, teams: undefined, level: 'low' }, rs),
    'second: no number': await second.token({ ...bob, number: undefined }, rs),
    'second: number for a name': await second.token({ ...bob, name: 5 }, rs),
    'second: of the system': await second.token({ ...bob, name: 'system:x' }, rs),
    'second: lives long': await second.token(bob, { ...rs, endsInS: 200_000 }),
    'second: for others': await second.token(bob, { ...rs, audience: 'three' }),
    file: 'file-token',
    hook: 'hook-wanda',
    'hook: revoked': 'hook-error',
    'hook: unknown': 'hook-nobody',
    nonsense: 'a.b.c',
  };
  const all = Object.entries(tokens);
  const bearer = (token: string) => ({
    headers: { authorization: token === '' ? '' : `Bearer ${token}` },
  });
  const get = (name: string, path: string, token: string): Step => ({
    name,
    method: 'GET',
    path,
    ...bearer(token),
  });
  const wanda = 'hook-wanda';
  const ready = (name: string, token: string): Step => ({
    name,
    method: 'POST',
    path: `${reviews}/selfsubjectreviews`,
    body: {},
    ...bearer(token),
    isSilent: true,
    until: (status) => status === 201,
  });
  return [
    ready('first is known', tokens['first'] ?? ''),
    ready('second is known', tokens['second'] ?? ''),
    ...all.map(([name, token]): Step => ({
      name: `whoami: ${name}`,
      method: 'POST',
      path: `${reviews}/selfsubjectreviews`,
      body: {},
      ...bearer(token),
    })),
    ...all.map(([name, token]): Step => ({
      name: `review: ${name}`,
      method: 'POST',
      path: `${reviews}/tokenreviews`,
      body: { spec: { token } },
    })),
    {
      name: 'review: for others',
      method: 'POST',
      path: `${reviews}/tokenreviews`,
      body: { spec: { token: 'file-token', audiences: ['them'] } },
    },
    get('anonymous: health', '/healthz', ''),
    get('anonymous: life', '/livez', ''),
    get('anonymous: other', '/readyz', ''),
    get('hook: allowed', '/api/v1/namespaces/open/pods', wanda),
    get('hook: no opinion', '/api/v1/namespaces/default/pods', wanda),
    get('hook: denied', '/api/v1/namespaces/open/secrets', wanda),
    get('hook: not asked', '/apis', wanda),
    {
      name: 'hook: review',
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body: {
        spec: {
          user: 'wanda',
          resourceAttributes: { namespace: 'open', verb: 'get', resource: 'pods' },
        },
      },
    },
    {
      name: 'hook: review denied',
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body: {
        spec: {
          user: 'wanda',
          resourceAttributes: { namespace: 'open', verb: 'get', resource: 'secrets' },
        },
      },
    },
  ];
}

export async function startAccessWorld(): Promise<AccessWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-access-'));
  const authority = await Authority.open(join(folder, 'pki'), Date.now());
  const first = await Issuer.start(authority, 'ES256');
  const second = await Issuer.start(authority, 'RS256');
  const webhook = await startWebhookServer();
  webhook.on('/tokens', tokenAnswer);
  webhook.on('/access', accessAnswer);
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const tokenHook = write('tokens.yaml', hookConfig(`${webhook.url}/tokens`, webhook.caBundle));
  const accessHook = write('access.yaml', hookConfig(`${webhook.url}/access`, webhook.caBundle));
  const config = authentication(first, second, authority.caCert);
  return {
    flags: {
      'token-auth-file': write('tokens.csv', 'file-token,fred,f1,"filed,listed"\n'),
      'authentication-config': write('authentication.yaml', JSON.stringify(config)),
      'authentication-token-webhook-config-file': tokenHook,
      'authentication-token-webhook-version': 'v1',
      'authorization-config': write(
        'authorization.yaml',
        JSON.stringify(authorization(accessHook)),
      ),
    },
    steps: await stepsOf(first, second),
    webhook,
    async close() {
      await Promise.all([first.close(), second.close(), webhook.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
