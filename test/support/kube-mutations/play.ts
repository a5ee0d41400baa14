// Plays garbled objects against one server: as new ones, as what is stored is to become, and as its status.
import { senderTo, type RawAnswer, type SendRaw, type Target } from '#test/support/kube-sender.ts';
import { beyond, changesBetween, headOf, refusal, type Answers, type Lines } from './answers.ts';
import {
  altered,
  changed,
  garbled,
  isBelow,
  isThere,
  mistyped,
  placesIn,
  placeText,
  valueAt,
  type Garbled,
  type Place,
} from './garble.ts';
import { HOME, NAMESPACE, type Json, type Mutated } from './mutated.ts';
import { mutated } from './objects.ts';

export type Played = Readonly<Record<string, Answers>>;

interface Answer {
  readonly status: number;
  readonly body: Json;
}

const DRY = '?dryRun=All&fieldValidation=Strict';

/** As upstream does when it panics. */
function hungUp(error: unknown): RawAnswer {
  if (!(error instanceof Error && 'code' in error && error.code === 'ECONNRESET')) throw error;
  return { status: 500, headers: {}, bytes: Buffer.from('{"message":"hung up"}') };
}

/** Rules come in the order of a hash table. */
function inOrder(body: Json): Json {
  const status = body['status'] as Json | undefined;
  for (const name of ['resourceRules', 'nonResourceRules']) {
    const rules = status?.[name];
    if (!Array.isArray(rules)) continue;
    rules.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  return body;
}

class Player {
  readonly #send: SendRaw;
  readonly found: Answers = new Map();
  #head = '';

  constructor(send: SendRaw) {
    this.#send = send;
  }

  async ask(method: string, path: string, body?: Json): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await this.#send({ method, path, headers, body: text }).catch(hungUp);
    return { status: answer.status, body: inOrder(JSON.parse(answer.bytes.toString()) as Json) };
  }

  /** Sends `base` as it is, and then with each of its fields changed. */
  async series(
    name: string,
    {
      method,
      path,
      base,
      below = '',
      ways,
    }: {
      readonly method: string;
      readonly path: string;
      readonly base: Json;
      readonly below?: string | undefined;
      readonly ways: readonly { readonly of: Json; readonly as: (value: unknown) => Garbled }[];
    },
  ): Promise<void> {
    const first = await this.#current(method, path, base);
    const usual = first.status < 400 ? changesBetween(base, first.body) : [];
    this.found.set(`${name}as it is`, first.status < 400 ? usual : this.#refused(first, []));
    for (const { of, as } of ways) {
      for (const place of placesIn(of)) {
        if (place.length === 1 && place[0] === 'metadata') continue;
        if (!isThere(base, place) || !isBelow(place, below)) continue;
        for (const [what, value] of as(valueAt(of, place))) {
          const body = changed(base, place, value);
          const answer = await this.#current(method, path, body);
          const lines =
            answer.status < 400
              ? beyond(usual, changesBetween(body, answer.body))
              : this.#refused(answer, place);
          this.found.set(`${name}${placeText(place)} ${what}`, lines);
        }
      }
    }
  }

  /** Asks again with a newer version when the server itself wrote meanwhile. */
  async #current(method: string, path: string, body: Json): Promise<Answer> {
    const answer = await this.ask(method, path, body);
    const isOld = String(answer.body['message']).includes('the object has been modified');
    if (answer.status !== 409 || !isOld) return answer;
    const live = await this.ask('GET', path.replace(DRY, ''));
    const { resourceVersion } = live.body['metadata'] as Json;
    const metadata = { ...(body['metadata'] as Json), resourceVersion };
    return await this.ask(method, path, { ...body, metadata });
  }

  #refused({ status, body }: Answer, place: Place): Lines {
    const lines = refusal(status, body, this.#head, placeText(place));
    if (lines.length > 1) this.#head = headOf(body);
    return lines;
  }
}

/** Waits for what the server itself says of the object, which it would otherwise write at any time. */
async function reported(player: Player, item: string, type: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const { body } = await player.ask('GET', item);
    const { conditions } = (body['status'] ?? {}) as { conditions?: { type: string }[] };
    if (conditions?.some((one) => one.type === type) === true) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`${item} has no condition ${type}`);
}

/** Only what was set: what is wrong for one update is so for the status. */
async function playStored(player: Player, { path, base, status, reports }: Mutated): Promise<void> {
  const { name } = base['metadata'] as { name: string };
  const item = `${path}/${name}`;
  const made = await player.ask('POST', path, base);
  if (made.status !== 201) throw new Error(`${item} is not taken: ${JSON.stringify(made.body)}`);
  if (reports !== undefined) await reported(player, item, reports);
  const live = (await player.ask('GET', item)).body;
  const { metadata: _metadata, ...rest } = base;
  // What is sent in plain is kept encoded.
  const { stringData: _text, ...own } = rest;
  const ways = [{ of: own, as: altered }];
  await player.series('update: ', { method: 'PUT', path: `${item}${DRY}`, base: live, ways });
  if (status !== undefined) {
    const given = JSON.parse(JSON.stringify({ status })) as Json;
    const whole = { ...live, ...given };
    const into = { method: 'PUT', path: `${item}${DRY}`, base: whole, ways: [] };
    await player.series('status by the object: ', into);
    const below = `${item}/status${DRY}`;
    const all = [
      { of: given, as: garbled },
      { of: given, as: mistyped },
    ];
    await player.series('status: ', { method: 'PUT', path: below, base: whole, ways: all });
    const alone = { metadata: live['metadata'], ...given };
    const bare = { method: 'PUT', path: below, base: alone, ways: [] };
    await player.series('status alone: ', bare);
    const stored = await player.ask('PUT', `${item}/status`, whole);
    if (stored.status === 200) {
      const next = {
        method: 'PUT',
        path: below,
        base: stored.body,
        ways: [{ of: given, as: altered }],
      };
      await player.series('status again: ', next);
    }
  }
  await player.ask('DELETE', item);
}

const THERE: readonly (readonly [path: string, body: Json])[] = [
  ['/api/v1/namespaces', { metadata: { name: NAMESPACE } }],
  [
    `/api/v1/${HOME}/serviceaccounts`,
    { metadata: { name: 'default' }, automountServiceAccountToken: false },
  ],
  [
    `/api/v1/${HOME}/pods`,
    { metadata: { name: 'there' }, spec: { containers: [{ name: 'c', image: 'a' }] } },
  ],
  [
    `/apis/apps/v1/${HOME}/deployments`,
    {
      metadata: { name: 'there' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'c', image: 'a' }] },
        },
      },
    },
  ],
];

/** `only`: the objects with one of these words in their names. */
export async function playMutations(target: Target, only: readonly string[] = []): Promise<Played> {
  const send = senderTo(target);
  for (const [path, body] of THERE) await new Player(send).ask('POST', path, body);
  const found: Record<string, Answers> = {};
  for (const one of mutated) {
    if (only.length > 0 && !only.some((word) => one.name.includes(word))) continue;
    const player = new Player(send);
    const { path, base, method = 'POST' } = one;
    const hasTypes = one.hasTypes ?? true;
    const ways = [{ of: base, as: garbled }, ...(hasTypes ? [{ of: base, as: mistyped }] : [])];
    await player.series('', { method, path: `${path}${DRY}`, base, below: one.below, ways });
    if (one.isUpdated === true) await playStored(player, one);
    found[one.name] = player.found;
  }
  return found;
}
