// Tokens in secrets from their making to their end, played against a server with its controllers: what each step
// shows, without what is drawn.
import { setTimeout as pause } from 'node:timers/promises';
import { senderTo, type Target } from './kube-sender.ts';

type Json = Record<string, unknown>;

const AGAIN_MS = 200;
/** A setting of each server. */
const ISSUER = /https:\/\/kubernetes\.default\.svc(?:\.cluster\.local)?/g;
const WAIT_MS_MAX = 60_000;
const SPACE = 'secret-tokens';
const CLAIM = 'kubernetes.io/serviceaccount';

interface Answer {
  readonly status: number;
  readonly warning: string;
  readonly body: Json;
}

interface Secret {
  readonly metadata: {
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
}

const decode = (text = ''): string => Buffer.from(text, 'base64').toString();

class Play {
  readonly lines: string[] = [];
  readonly #target: Target;

  constructor(target: Target) {
    this.#target = target;
  }

  async ask(method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await senderTo(this.#target)({
      method,
      path,
      headers: {
        'content-type': type,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = answer.bytes.toString();
    const warning = String(answer.headers['warning'] ?? '');
    return { status: answer.status, warning, body: JSON.parse(text) as Json };
  }

  say(step: string, what: unknown): void {
    const line = `${step}: ${JSON.stringify(what)}`;
    this.lines.push(line.replaceAll(ISSUER, 'ISSUER'));
  }

  /** The answer that is waited for; servers keep what they know of a token for ten seconds. */
  async until(
    ask: () => Promise<Answer>,
    isRight: (answer: Answer) => boolean,
    what: string,
  ): Promise<Answer> {
    for (let waited = 0; ; waited += AGAIN_MS) {
      const answer = await ask();
      if (isRight(answer)) return answer;
      if (waited > WAIT_MS_MAX) throw new Error(`${what}: ${JSON.stringify(answer)}`);
      await pause(AGAIN_MS);
    }
  }
}

const core = (kind: string, name = ''): string =>
  `/api/v1/namespaces/${SPACE}/${kind}${name === '' ? '' : `/${name}`}`;

const secretOf = (name: string, account: string): Json => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'kubernetes.io/service-account-token',
  metadata: { name, annotations: { 'kubernetes.io/service-account.name': account } },
});

const tokenOf = ({ body }: Answer): string =>
  decode((body as unknown as Secret).data?.['token'] ?? '');

export async function playSecretTokens(target: Target): Promise<readonly string[]> {
  const play = new Play(target);
  const made = async (name: string): Promise<Answer> =>
    await play.until(
      () => play.ask('GET', core('secrets', name)),
      (one) => tokenOf(one) !== '',
      `${name} has no token`,
    );
  const review = (token: string, audiences?: readonly string[]) => (): Promise<Answer> =>
    play.ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences },
    });
  const whoAmI = (token: string): Promise<Answer> =>
    play.ask(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      token,
    );
  const errorOf = ({ body }: Answer): unknown => (body['status'] as Json)['error'];

  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SPACE } };
  await play.ask('POST', '/api/v1/namespaces', namespace);
  const named = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } };
  const account = (await play.ask('POST', core('serviceaccounts'), named)).body;
  const { uid } = account['metadata'] as { uid: string };
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value ?? null).replaceAll(uid, 'UID'));

  const first = await play.ask('POST', core('secrets'), secretOf('first', 'robot'));
  play.say('made', [first.status, (first.body as unknown as Secret).data ?? null]);
  const filled = await made('first');
  const { data = {}, metadata } = filled.body as unknown as Secret;
  play.say('filled', [Object.keys(data).sort(), decode(data['namespace'])]);
  play.say('ca', decode(data['ca.crt']).startsWith('-----BEGIN CERTIFICATE-----'));
  play.say('annotations', plain(metadata.annotations));
  const token = tokenOf(filled);
  const claims = JSON.parse(decode(token.split('.')[1])) as Json;
  play.say('claims', plain(Object.fromEntries(Object.entries(claims).sort())));
  const own = await whoAmI(token);
  play.say('used', [own.status, own.warning, plain((own.body['status'] as Json)['userInfo'])]);
  const labels = ({ body }: Answer): Readonly<Record<string, string>> =>
    (body as unknown as Secret).metadata.labels ?? {};
  const used = await play.until(
    () => play.ask('GET', core('secrets', 'first')),
    (one) => Object.keys(labels(one)).length > 0,
    'nothing notes the use',
  );
  const shownLabels = JSON.stringify(labels(used)).replaceAll(/\d{4}-\d\d-\d\d/g, 'DAY');
  play.say('labels', shownLabels);
  play.say('review', plain((await review(token)()).body['status']));
  play.say('for others', errorOf(await review(token, ['other'])()));
  play.say('broken', errorOf(await review(`${token.slice(0, -8)}AAAAAAAA`)()));

  await play.ask('POST', core('secrets'), secretOf('second', 'robot'));
  const listed = { secrets: [{ name: 'second' }] };
  await play.ask('PATCH', core('serviceaccounts', 'robot'), listed);
  const second = tokenOf(await made('second'));
  const warned = await whoAmI(second);
  play.say('listed', [warned.status, warned.warning]);
  const invalid = {
    metadata: { labels: { [`${CLAIM.split('/')[0]}/legacy-token-invalid-since`]: '2020-01-01' } },
  };
  await play.ask('PATCH', core('secrets', 'second'), invalid);
  const isRefused = (one: Answer): boolean => errorOf(one) !== undefined;
  play.say('invalid', errorOf(await play.until(review(second), isRefused, 'still valid')));
  await play.ask('DELETE', core('secrets', 'second'));
  const free = await play.until(
    () => play.ask('GET', core('serviceaccounts', 'robot')),
    ({ body }) => ((body['secrets'] ?? []) as unknown[]).length === 0,
    'still listed',
  );
  play.say('not listed', free.body['secrets'] ?? null);

  const changed = { data: { token: Buffer.from('other').toString('base64') } };
  await play.ask('PATCH', core('secrets', 'first'), changed);
  play.say('changed', errorOf(await play.until(review(token), isRefused, 'still valid')));
  const emptied = { data: { token: null, namespace: null } };
  await play.ask('PATCH', core('secrets', 'first'), emptied);
  play.say('filled again', tokenOf(await made('first')).split('.').length);

  const isGone = ({ status }: Answer): boolean => status === 404;
  await play.ask('POST', core('secrets'), secretOf('stray', 'nobody'));
  const get = (name: string) => (): Promise<Answer> => play.ask('GET', core('secrets', name));
  play.say('of nobody', (await play.until(get('stray'), isGone, 'still there')).status);
  await play.ask('DELETE', core('serviceaccounts', 'robot'));
  play.say('account gone', (await play.until(get('first'), isGone, 'still there')).status);
  play.say('after it', errorOf(await play.until(review(token), isRefused, 'still valid')));
  await play.ask('DELETE', `/api/v1/namespaces/${SPACE}`);
  return play.lines;
}
