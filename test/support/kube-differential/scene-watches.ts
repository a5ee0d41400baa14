// What lists and watches give from each version on, by every combination of their options: objects of a built-in
// kind and of a custom one that were made, changed, relabelled and deleted. Told in short: names and types of events,
// versions by the write that made them.
import { senderTo, type RawAnswer, type SendRaw, type Target } from '#test/support/kube-sender.ts';
import type { Entry } from './player.ts';
import type { Recording } from './record.ts';

type Json = Record<string, unknown>;

const SPACE = 'watched';

interface Kind {
  readonly path: string;
  readonly apiVersion: string;
  readonly kind: string;
}

const kinds: Readonly<Record<string, Kind>> = {
  configmaps: {
    path: `/api/v1/namespaces/${SPACE}/configmaps`,
    apiVersion: 'v1',
    kind: 'ConfigMap',
  },
  things: {
    path: `/apis/watched.test/v1/namespaces/${SPACE}/things`,
    apiVersion: 'watched.test/v1',
    kind: 'Thing',
  },
};

const definition = {
  metadata: { name: 'things.watched.test' },
  spec: {
    group: 'watched.test',
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    ],
  },
};

async function send(sender: SendRaw, method: string, path: string, body?: Json, type = 'json') {
  const answer = await sender({
    method,
    path,
    headers: { 'content-type': `application/${type}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: answer.status, body: JSON.parse(answer.bytes.toString()) as Json };
}

const versionOf = (object: unknown): string =>
  String(((object as Json)['metadata'] as Json | undefined)?.['resourceVersion'] ?? '');

/** Names of the versions that were made: `0` before the first write, then one for each. */
async function write(sender: SendRaw, { path, apiVersion, kind }: Kind): Promise<string[]> {
  const own = (name: string, l: string): Json => ({
    apiVersion,
    kind,
    metadata: { name, labels: { l } },
  });
  const merge = 'merge-patch+json';
  const relabel = (name: string, l: string): Parameters<typeof send> => [
    sender,
    'PATCH',
    `${path}/${name}`,
    { metadata: { labels: { l } } },
    merge,
  ];
  const versions = [versionOf((await send(sender, 'GET', path)).body)];
  const all: Parameters<typeof send>[] = [
    [sender, 'POST', path, own('a', '1')],
    [sender, 'POST', path, own('b', '1')],
    [sender, 'POST', path, own('c', '2')],
    relabel('a', '2'),
    relabel('c', '1'),
    relabel('b', '1'),
    [sender, 'PATCH', `${path}/b`, { metadata: { annotations: { x: 'y' } } }, merge],
  ];
  for (const one of all) versions.push(versionOf((await send(...one)).body));
  await send(sender, 'DELETE', `${path}/b`);
  versions.push(versionOf((await send(sender, 'GET', path)).body));
  versions.push(versionOf((await send(sender, 'POST', path, own('d', '1'))).body));
  return versions;
}

class Teller {
  readonly #versions: readonly string[];

  constructor(versions: readonly string[]) {
    this.#versions = versions;
  }

  #version(text: string): string {
    const at = this.#versions.indexOf(text);
    if (at >= 0) return `v${at}`;
    const last = this.#versions.at(-1) ?? '0';
    return text !== '' && Number(text) > Number(last) ? 'later' : text === '' ? '-' : 'other';
  }

  #object(one: Json): string {
    const { metadata = {}, rows } = one as { metadata?: Json; rows?: Json[] };
    if (rows !== undefined) {
      const shown = rows.map((row) => this.#object((row['object'] ?? {}) as Json)).join('+');
      return `${String(one['kind'])}(${shown}${one['columnDefinitions'] === null ? '' : ' columns'})`;
    }
    const {
      name = '',
      resourceVersion = '',
      annotations = {},
      labels,
    } = metadata as {
      name?: string;
      resourceVersion?: string;
      annotations?: Json;
      labels?: Json;
    };
    const isEnd = annotations['k8s.io/initial-events-end'] === 'true' ? ' end' : '';
    const label = labels === undefined ? '' : `=${String(labels['l'])}`;
    return `${name}${label}@${this.#version(resourceVersion)}${isEnd}`;
  }

  plain(text: string): string {
    return text.replaceAll(/(?<=current: )\d+/g, '<n>').replaceAll(/\b\d{2,}\b/g, '<n>');
  }

  told({ status, bytes }: RawAnswer): string {
    const text = bytes.toString();
    const lines = text.split('\n').filter((line) => line !== '');
    const all = lines.map((line) => JSON.parse(line) as Json);
    const [first = {}] = all;
    if ('type' in first) {
      const events = all.map((one) => this.#event(one));
      // Upstream sends further ones at its leisure.
      const told = events.filter((one) => !/^BOOKMARK (?!.*\bend)/.test(one));
      return `${status} ${told.join(', ')}`;
    }
    const { kind, items, metadata, message, reason } = first as {
      items?: Json[];
      metadata?: Json;
    } & Json;
    if (all.length === 0) return `${status} nothing`;
    if (kind === 'Status') return `${status} ${String(reason)}: ${this.plain(String(message))}`;
    const { continue: next, remainingItemCount: left } = (metadata ?? {}) as Json;
    const names = (items ?? [])
      .map((one) => this.#object(one))
      .filter((one) => !one.startsWith('kube-root'));
    const rest = `${next === undefined ? '' : ' more'}${left === undefined ? '' : ` left ${String(left)}`}`;
    return `${status} [${names.join(' ')}] at ${this.#version(versionOf(first))}${rest}`;
  }

  #event({ type, object }: Json): string {
    const one = object as Json;
    if (type === 'ERROR') {
      return `ERROR ${String(one['reason'])}: ${this.plain(String(one['message']))}`;
    }
    const shown = this.#object(one);
    // Others write in between.
    return type === 'BOOKMARK'
      ? `BOOKMARK ${shown.replace(`@v${this.#versions.length - 1}`, '@now').replace('@later', '@now')}`
      : `${String(type)} ${shown}`;
  }
}

const product = (parts: readonly (readonly string[])[]): string[] =>
  parts.reduce<string[]>(
    (sofar, part) =>
      sofar.flatMap((one) => part.map((other) => [one, other].filter(Boolean).join('&'))),
    [''],
  );

/** v1 and the like stand for versions. */
const starts = [
  '',
  'resourceVersion=0',
  'resourceVersion=v0',
  'resourceVersion=v4',
  'resourceVersion=v9',
  'resourceVersion=later',
];
const matches = ['', 'resourceVersionMatch=NotOlderThan', 'resourceVersionMatch=Exact'];
const selectors = ['labelSelector=l%3D1', 'fieldSelector=metadata.name%3Db'];

const watches: readonly string[] = [
  ...product([
    starts,
    matches,
    ['', 'sendInitialEvents=true', 'sendInitialEvents=false'],
    ['', 'allowWatchBookmarks=true'],
  ]),
  ...product([
    selectors,
    starts.slice(0, 4),
    ['', 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'],
  ]),
  'limit=1',
  'limit=1&resourceVersion=v0',
  'continue=x',
];

const lists: readonly string[] = [
  ...product([starts, matches, ['', 'limit=1', 'limit=2', 'limit=100']]),
  ...product([selectors, starts.slice(0, 5), matches, ['', 'limit=1']]),
];

const forms: Readonly<Record<string, string>> = {
  plain: 'application/json',
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  metadata: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
};

/** So many at once: servers have seats. */
const AT_ONCE = 60;
/** Of watches: whatever has happened comes at once. */
const SECONDS = 1;

async function playKind(sender: SendRaw, name: string, kind: Kind): Promise<Entry[]> {
  const versions = await write(sender, kind);
  const teller = new Teller(versions);
  const last = Number(versions.at(-1));
  const filled = (query: string): string =>
    query
      .replaceAll(/=v(\d)/g, (_all, at: string) => `=${versions[Number(at)] ?? ''}`)
      .replaceAll('=later', `=${last + 1_000_000}`);
  const asked: { readonly step: string; readonly query: string; readonly accept: string }[] = [];
  const form = forms['plain'] ?? '';
  for (const one of lists) asked.push({ step: `list ${one}`, query: filled(one), accept: form });
  for (const one of watches) {
    const query = `watch=true&timeoutSeconds=${SECONDS}&${filled(one)}`;
    asked.push({ step: `watch ${one}`, query, accept: form });
  }
  for (const [shape, accept] of Object.entries(forms)) {
    if (shape === 'plain') continue;
    for (const one of [
      '',
      'resourceVersion=v0',
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
      'labelSelector=l%3D1&resourceVersion=v0',
    ]) {
      const query = `watch=true&timeoutSeconds=${SECONDS}&${filled(one)}`;
      asked.push({ step: `watch as ${shape} ${one}`, query, accept });
    }
  }
  const entries: Entry[] = Array.from({ length: asked.length });
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < asked.length; at = next++) {
      const { step, query, accept } = asked[at] ?? { step: '', query: '', accept: '' };
      const answer = await sender({
        method: 'GET',
        path: `${kind.path}?${query}`,
        headers: { accept },
      });
      entries[at] = {
        step: `${name} ${step}`,
        status: answer.status,
        headers: {},
        body: teller.told(answer),
      };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return entries;
}

/** Answers to lists and watches of each kind. */
export async function playWatches(target: Target): Promise<Recording> {
  const sender = senderTo(target);
  await send(sender, 'POST', '/api/v1/namespaces', { metadata: { name: SPACE } });
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await send(sender, 'POST', definitions, definition);
  const things = kinds['things']?.path ?? '';
  for (;;) {
    const { status, bytes } = await sender({ method: 'GET', path: things });
    if (status === 200 && bytes.length > 0) break;
    await new Promise((done) => setTimeout(done, 25));
  }
  const found: Record<string, readonly Entry[]> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    found[`watched ${name}`] = await playKind(sender, name, kind);
  }
  return found;
}
