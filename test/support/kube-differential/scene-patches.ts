// Patches of every kind, made from an object of each built-in resource: of its fields one after the other by JSON
// patch, merge patch and strategic merge patch, and what several managers apply, with conflicts and with force.
import {
  altered,
  changed,
  placesIn,
  placeText,
  valueAt,
  type Place,
} from '#test/support/kube-mutations/garble.ts';
import { HOME, NAMESPACE, type Json, type Mutated } from '#test/support/kube-mutations/mutated.ts';
import { mutated } from '#test/support/kube-mutations/objects.ts';
import { patient, type SendRaw } from '#test/support/kube-sender.ts';
import { Player, type Entry } from './player.ts';
import type { Recording } from './record.ts';

const jsonPatch = 'application/json-patch+json';
const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const apply = 'application/apply-patch+yaml';

/** Of each object: more of them are much like these. */
const PLACES_MAX = 6;
const DRY = 'dryRun=All';

function chosen<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, all.length / most);
  return Array.from(
    { length: Math.min(most, all.length) },
    (_none, i) => all[Math.floor(i * step)] as T,
  );
}

const pointer = (place: Place): string =>
  place.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** The patch that says nothing but what is at the place: none where a list is on the way. */
function nested(place: Place, value: unknown): Json | undefined {
  if (place.some((key) => typeof key === 'number')) return undefined;
  return place.toReversed().reduce<unknown>((inner, key) => ({ [key]: inner }), value) as Json;
}

/** With the whole of the lists that are on the way. */
function within(base: Json, place: Place, value: unknown): Json {
  const first = place.findIndex((key) => typeof key === 'number');
  const list = first < 0 ? place : place.slice(0, first);
  const next = changed(base, place, value);
  return nested(list, valueAt(next, list)) ?? {};
}

function keyOf(items: readonly Json[]): string | undefined {
  return ['name', 'key', 'ip', 'type', 'containerPort', 'mountPath', 'uid'].find((key) =>
    items.every((one) => one[key] !== undefined),
  );
}

interface Target {
  readonly player: Player;
  readonly item: string;
  readonly base: Json;
}

async function byField({ player, item, base }: Target, place: Place): Promise<void> {
  const text = placeText(place);
  const value = valueAt(base, place);
  const [, other] = altered(value).find(([what]) => what !== 'left out') ?? [];
  const patch = async (what: string, contentType: string, body: unknown): Promise<void> =>
    void (await player.ask(`${what} ${text}`, 'PATCH', item, { contentType, body, query: DRY }));
  const path = pointer(place);
  await patch('remove', jsonPatch, [{ op: 'remove', path }]);
  await patch('test and replace', jsonPatch, [
    { op: 'test', path, value },
    { op: 'replace', path, value: other ?? value },
  ]);
  await patch('merge without', merge, within(base, place, undefined));
  const empty = nested(place, null);
  if (empty !== undefined) {
    await patch('merge away', merge, empty);
    await patch('merge away strategically', strategic, empty);
  }
  if (other === undefined) return;
  await patch('merge another', merge, within(base, place, other));
  await patch('merge another strategically', strategic, within(base, place, other));
}

async function byList({ player, item, base }: Target, place: Place): Promise<void> {
  const items = valueAt(base, place) as Json[];
  const key = keyOf(items);
  const [first] = items;
  const patch = async (what: string, value: unknown): Promise<void> => {
    const body = nested(place, value);
    if (body === undefined) return;
    const step = `${what} ${placeText(place)}`;
    await player.ask(step, 'PATCH', item, { contentType: strategic, body, query: DRY });
  };
  await patch('replace the list', [...items, { $patch: 'replace' }]);
  if (key === undefined || first === undefined) return;
  await patch('delete of the list', [{ [key]: first[key], $patch: 'delete' }]);
  await patch('delete what is not in the list', [{ [key]: 'none', $patch: 'delete' }]);
  const last = String(place.at(-1));
  const order = nested(place.slice(0, -1), {
    [`$setElementOrder/${last}`]: items.toReversed().map((one) => ({ [key]: one[key] })),
    [last]: [first],
  });
  const step = `order of the list ${placeText(place)}`;
  await player.ask(step, 'PATCH', item, { contentType: strategic, body: order, query: DRY });
}

/** What three managers apply in turn. */
async function byManagers({ player, item, base }: Target, whole: Json, other: Json): Promise<void> {
  const applied = async (what: string, query: string, body: Json): Promise<void> =>
    void (await player.ask(what, 'PATCH', item, { contentType: apply, body, query }));
  const { apiVersion, kind } = whole;
  const labels = (more: Json): Json => ({
    apiVersion,
    kind,
    metadata: { name: nameOf(base), ...more },
  });
  await applied('apply all', 'fieldManager=a', whole);
  await applied('apply all again', 'fieldManager=a', whole);
  await applied('apply another value', 'fieldManager=b', other);
  await applied('apply another value dry', `fieldManager=b&force=true&${DRY}`, other);
  await applied('apply another value with force', 'fieldManager=b&force=true', other);
  await applied('apply all after that', 'fieldManager=a', whole);
  await applied('apply all with force after that', 'fieldManager=a&force=true', whole);
  await applied('apply a label', 'fieldManager=c', labels({ labels: { c: '1' } }));
  await applied('apply nothing any more', 'fieldManager=c', labels({}));
  await applied('apply without a manager', '', whole);
  await applied('apply an id', 'fieldManager=c', labels({ uid: 'odd' }));
  await applied('apply managers', 'fieldManager=c', labels({ managedFields: [{ manager: 'x' }] }));
  await applied('apply an unknown field', 'fieldManager=c&fieldValidation=Strict', {
    ...labels({}),
    odd: 1,
  });
  await player.ask('merge as one that applied', 'PATCH', item, {
    contentType: merge,
    body: { metadata: { labels: { merged: 'yes' } } },
    query: 'fieldManager=a',
  });
  await applied('apply less', 'fieldManager=a', labels({}));
  await player.ask('forget all managers', 'PATCH', item, {
    contentType: merge,
    body: { metadata: { managedFields: [{}] } },
  });
  await player.ask('get', 'GET', item);
}

const nameOf = ({ metadata }: Json): string => String((metadata as Json)['name']);

/** Waits for what the server itself says of the object. */
async function reported(player: Player, item: string, type: string): Promise<Json> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const live = await player.quietly('GET', item);
    const { conditions } = (live['status'] ?? {}) as { conditions?: Json[] | null };
    const isTrue = conditions?.some((one) => one['type'] === type && one['status'] === 'True');
    if (isTrue === true) return live;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`${item} has no condition ${type}`);
}

async function playPatches(player: Player, one: Mutated): Promise<void> {
  const { path, base, status, reports } = one;
  const item = `${path}/${nameOf(base)}`;
  const made = await player.ask('create', 'POST', path, {
    body: base,
    query: 'fieldManager=maker',
  });
  if (reports === 'Established') await reported(player, item, reports);
  const { apiVersion, kind } = made;
  const target = { player, item, base };
  const all = [...placesIn(base)].filter(([first]) => first !== 'metadata');
  const isThere = (place: Place): boolean => valueAt(made, place) !== undefined;
  const places = all.filter(isThere);
  for (const place of chosen(places, PLACES_MAX)) await byField(target, place);
  const lists = places.filter((place) => {
    const value = valueAt(base, place);
    return Array.isArray(value) && value.every((one) => typeof one === 'object');
  });
  for (const place of chosen(lists, 3)) await byList(target, place);
  await player.ask('patch with an odd operation', 'PATCH', item, {
    contentType: jsonPatch,
    body: [{ op: 'odd', path: '/a' }],
  });
  await player.ask('patch with an odd directive', 'PATCH', item, {
    contentType: strategic,
    body: { metadata: { $patch: 'odd' } },
    query: DRY,
  });
  const whole = { apiVersion, kind, ...base };
  const changes = places.filter((place) =>
    altered(valueAt(base, place)).some(([what]) => what !== 'left out'),
  );
  const place = chosen(changes, 3).at(-1);
  const [, value] =
    place === undefined
      ? []
      : (altered(valueAt(base, place)).find(([what]) => what !== 'left out') ?? []);
  const other = place === undefined ? whole : changed(whole, place, value);
  await byManagers(target, whole, other);
  if (status !== undefined) {
    const body = { apiVersion, kind, metadata: { name: nameOf(base) }, status };
    for (const [step, query] of [
      ['apply the status', 'fieldManager=s'],
      ['apply the status by another', 'fieldManager=t'],
    ] as const) {
      await player.ask(step, 'PATCH', `${item}/status`, { contentType: apply, body, query });
    }
    await player.ask('merge the status away', 'PATCH', `${item}/status`, {
      contentType: merge,
      body: { status: null },
      query: DRY,
    });
  }
  await player.quietly('DELETE', item, { query: 'gracePeriodSeconds=0' });
}

export async function playPatchScenes(
  sender: SendRaw,
  only: readonly string[] = [],
): Promise<Recording> {
  const send = patient(sender);
  const setting = new Player(send);
  await setting.quietly('POST', '/api/v1/namespaces', { body: { metadata: { name: NAMESPACE } } });
  await setting.quietly('POST', `/api/v1/${HOME}/serviceaccounts`, {
    body: { metadata: { name: 'default' }, automountServiceAccountToken: false },
  });
  const found: Record<string, readonly Entry[]> = {};
  for (const one of mutated) {
    if (one.isUpdated !== true || one.method === 'PUT') continue;
    // Taints of slices get the time of each write; of some others a controller says something at any time.
    const isAlone = one.reports === undefined || one.reports === 'Established';
    if (!isAlone || one.name === 'ResourceSlice') continue;
    if (only.length > 0 && !only.some((word) => one.name.includes(word))) continue;
    // A definition is written to by the server as well.
    const player = new Player(send, { hasVersions: one.reports === undefined });
    await playPatches(player, one);
    found[one.name] = player.entries;
  }
  return found;
}
