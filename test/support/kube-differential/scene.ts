// The life of one object of a resource, rightly and wrongly asked for: created, read in every form,
// listed, updated, patched, applied, deleted.
import type { Json, KindCase } from './kinds.ts';
import type { Player } from './player.ts';
import { playOptions } from './scene-options.ts';

export const namespace = 'scenes';

const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const jsonPatch = 'application/json-patch+json';
const apply = 'application/apply-patch+yaml';
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
const partialList = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** As RFC 7396. */
export function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const result: Json = isObject ? { ...(target as Json) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

/** Waits for what is reported of the object. */
async function reported(player: Player, { reports }: KindCase, item: string): Promise<void> {
  if (reports === undefined) return;
  for (let attempt = 0; attempt < 400; attempt++) {
    const { status } = await player.quietly('GET', item);
    const { conditions } = (status ?? {}) as { conditions?: { type: string }[] };
    if (conditions?.some(({ type }) => type === reports) === true) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`${item} has no condition ${reports}`);
}

/** Waits until it is. */
async function gone(player: Player, item: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const { kind } = await player.quietly('GET', item);
    if (kind === 'Status') return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`${item} does not go`);
}

export async function playKind(player: Player, one: KindCase): Promise<void> {
  const { apiVersion, kind, resource, base, change, bad, status } = one;
  const name = one.name ?? 'one';
  const placed = one.isClusterWide === true ? '' : `/namespaces/${namespace}`;
  const all = `${rootOf(apiVersion)}/${resource}`;
  const path = `${rootOf(apiVersion)}${placed}/${resource}`;
  const item = `${path}/${name}`;
  const make = (more: Json = {}, named: Json = { name }): Json => ({
    apiVersion,
    kind,
    metadata: { labels: { scene: 'yes' }, ...named },
    ...more,
  });
  const good = make(base);
  const ask = player.ask.bind(player);
  const live = async (): Promise<Json> => await player.quietly('GET', item);

  await ask('create bare', 'POST', path, { body: { metadata: { name } }, query: 'dryRun=All' });
  await ask('create strictly', 'POST', path, {
    body: make({ ...base, odd: 1 }),
    query: 'fieldValidation=Strict',
  });
  await ask('create with an unknown field', 'POST', path, { body: make({ ...base, odd: 1 }) });
  await ask('create again', 'POST', path, { body: good });
  await reported(player, one, item);
  await ask('create by a bad name', 'POST', path, { body: make(base, { name: 'Bad_Name/' }) });
  await ask('create another kind', 'POST', path, { body: { ...good, kind: 'Other' } });
  await ask('get', 'GET', item);
  await ask('get as table', 'GET', item, { accept: table });
  await ask('get metadata', 'GET', item, { accept: partial });
  await ask('get what is not there', 'GET', `${path}/none`);
  await ask('list', 'GET', path, { query: 'labelSelector=scene%3Dyes' });
  await ask('list metadata', 'GET', path, {
    accept: partialList,
    query: `fieldSelector=metadata.name%3D${name}`,
  });
  await ask('list as table', 'GET', all, { accept: table, query: 'labelSelector=scene' });
  await ask('list by a bad field', 'GET', path, { query: 'fieldSelector=spec.odd%3D1' });
  await ask('put back', 'PUT', item, { body: await live() });
  await ask('put without a name', 'PUT', item, { body: make(base, {}) });
  await ask('put what is not there', 'PUT', `${path}/none`, {
    body: make(base, { name: 'none', resourceVersion: '1' }),
    query: 'dryRun=All',
  });
  await ask('put an old version', 'PUT', item, {
    body: merged(await live(), { metadata: { resourceVersion: '1' } }),
  });
  await ask('put by another id', 'PUT', item, {
    body: merged(await live(), { metadata: { uid: 'other' } }),
  });
  await ask('put metadata', 'PUT', item, {
    body: merged(await live(), { metadata: { annotations: { a: '1' }, generation: 9 } }),
  });
  if (change !== undefined) {
    await ask('put a change', 'PUT', item, {
      body: merged(await live(), change),
      query: 'fieldManager=putter',
    });
    await ask('merge the change', 'PATCH', item, { body: change, contentType: merge });
    await ask('merge strategically', 'PATCH', item, { body: change, contentType: strategic });
  }
  if (bad !== undefined) {
    await ask('put a bad change', 'PUT', item, { body: merged(await live(), bad) });
    await ask('merge a bad change', 'PATCH', item, { body: bad, contentType: merge });
    await ask('create badly', 'POST', path, {
      body: merged(good, merged(bad, { metadata: { name: 'bad' } })) as Json,
      query: 'dryRun=All',
    });
  }
  await ask('patch by JSON patch', 'PATCH', item, {
    body: [{ op: 'add', path: '/metadata/labels/patched', value: 'yes' }],
    contentType: jsonPatch,
  });
  await ask('patch by a failing JSON patch', 'PATCH', item, {
    body: [{ op: 'test', path: '/metadata/labels/patched', value: 'no' }],
    contentType: jsonPatch,
  });
  await ask('patch to a wrong type', 'PATCH', item, {
    body: { metadata: { labels: 1 } },
    contentType: merge,
  });
  await ask('patch strategically an unknown field', 'PATCH', item, {
    body: { odd: 1 },
    contentType: strategic,
    query: 'fieldValidation=Strict',
  });
  await ask('apply', 'PATCH', item, {
    body: make({}, { name, labels: { applied: 'a' } }),
    contentType: apply,
    query: 'fieldManager=applier',
  });
  await ask('apply the whole with conflicts', 'PATCH', item, {
    body: merged(good, { metadata: { labels: { applied: 'b' } } }),
    contentType: apply,
    query: 'fieldManager=other',
  });
  await ask('apply with force', 'PATCH', item, {
    body: merged(good, { metadata: { labels: { applied: 'b' } } }),
    contentType: apply,
    query: 'fieldManager=other&force=true',
  });
  await ask('apply less', 'PATCH', item, {
    body: good,
    contentType: apply,
    query: 'fieldManager=other',
  });
  if (status !== undefined) {
    await ask('put status', 'PUT', `${item}/status`, {
      body: merged(await live(), { status, metadata: { labels: { status: 'yes' } } }),
      query: 'fieldManager=status',
    });
    await ask('merge status', 'PATCH', `${item}/status`, { body: { status }, contentType: merge });
    await ask('put status by the object', 'PUT', item, {
      body: merged(await live(), { status: null }),
    });
    await ask('get status', 'GET', `${item}/status`);
    await ask('get as table with status', 'GET', item, { accept: table });
  }
  for (const older of one.also ?? []) {
    await ask(`get by ${older}`, 'GET', `${rootOf(older)}${placed}/${resource}/${name}`);
  }
  await playOptions(player, {
    path,
    item,
    good,
    touch: { metadata: { labels: { touched: 'yes' } } },
  });
  await ask('post to one', 'POST', item, { body: good });
  await ask('put to all', 'PUT', path, { body: good });
  await ask('a subresource that is none', 'GET', `${item}/odd`);
  await ask('delete another id', 'DELETE', item, { body: { preconditions: { uid: 'other' } } });
  await ask('delete dry', 'DELETE', item, { query: 'dryRun=All' });
  await ask('delete', 'DELETE', item, { query: 'gracePeriodSeconds=0' });
  if (one.goesLater === true) await gone(player, item);
  await ask('get after', 'GET', item);
  await ask('delete after', 'DELETE', item);
  await ask('apply anew', 'PATCH', `${item}`, {
    body: good,
    contentType: apply,
    query: 'fieldManager=applier&dryRun=All',
  });
  await ask('create anew', 'POST', path, { body: good });
  await reported(player, one, item);
  await ask('delete by a bad selector', 'DELETE', path, { query: 'labelSelector=a%3D%3D%3Db' });
  await ask('delete all', 'DELETE', path, { query: 'labelSelector=scene%3Dyes' });
}
