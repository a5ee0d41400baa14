// Options of requests, right and wrong, on one resource whose object is there: what a list, a write, a
// deletion may be told, in which forms bodies come and go.
import type { Json } from './kinds.ts';
import type { Player } from './player.ts';

export interface OptionsScene {
  readonly path: string;
  readonly item: string;
  readonly good: Json;
  /** A merge patch that changes nothing that matters. */
  readonly touch: Json;
}

const merge = 'application/merge-patch+json';
const apply = 'application/apply-patch+yaml';

async function playLists(player: Player, { path }: OptionsScene): Promise<void> {
  // Of nothing: a cache may not have seen yet what was written last.
  const list = async (step: string, query: string): Promise<Json> =>
    await player.ask(step, 'GET', path, { query: `labelSelector=scene%3Dno&${query}` });
  await list('list from the cache', 'resourceVersion=0');
  await list('list with no limit', 'limit=0');
  await list('list with a bad limit', 'limit=x');
  await list('list at a bad version', 'resourceVersion=x');
  await list('list at a version of no kind', 'resourceVersionMatch=Exact');
  await list('list at a version in no way', 'resourceVersion=1&resourceVersionMatch=Odd');
  await list('list exactly at zero', 'resourceVersion=0&resourceVersionMatch=Exact');
  await list('list not before', 'resourceVersion=1&resourceVersionMatch=NotOlderThan');
  await list('list on from nowhere', 'limit=1&continue=x');
  await list('list with first events', 'sendInitialEvents=true');
  await list('list with a bad timeout', 'timeoutSeconds=x');
  await list('watch at a bad version', 'watch=true&resourceVersion=x');
  await list('watch with a match', 'watch=true&resourceVersionMatch=NotOlderThan');
  await list('watch first events in no way', 'watch=true&sendInitialEvents=true');
  const bad = { query: 'labelSelector=a+in+b' };
  await player.ask('list by a bad label', 'GET', path, bad);
  await player.ask('list by bad syntax', 'GET', path, { query: 'fieldSelector=a' });
}

async function playForms(player: Player, scene: OptionsScene): Promise<void> {
  const { path, item, good } = scene;
  const get = async (step: string, accept: string, query?: string): Promise<Json> =>
    await player.ask(step, 'GET', item, { accept, ...(query === undefined ? {} : { query }) });
  await get('get as YAML', 'application/yaml');
  await get('get as protobuf', 'application/vnd.kubernetes.protobuf');
  await get('get as CBOR', 'application/cbor');
  await get('get as something', 'text/html');
  await get('get as CBOR or JSON', 'application/cbor;q=1,application/json;q=0.5');
  await get('get as an odd form', 'application/json;as=Odd;v=v1;g=meta.k8s.io');
  await get('get prettily', 'application/json', 'pretty=true');
  await get('get at a version', 'application/json', 'resourceVersion=0');
  await get('get at a bad version', 'application/json', 'resourceVersion=x');
  const post = async (step: string, contentType: string, body: unknown): Promise<Json> =>
    await player.ask(step, 'POST', path, { contentType, body, query: 'dryRun=All' });
  await post('create by text', 'text/plain', JSON.stringify(good));
  await post('create by CBOR', 'application/cbor', 'x');
  await post('create by nothing', 'application/json', '');
  await post('create by half', 'application/json', JSON.stringify(good).slice(0, -20));
  await post('create by a list', 'application/json', '[]');
  await post('create by a number', 'application/json', '1');
  await post('create by null', 'application/json', 'null');
  await post('create by bad YAML', 'application/yaml', 'a: [b');
  await post('create by bad protobuf', 'application/vnd.kubernetes.protobuf', 'k8s\0x');
}

async function playWrites(player: Player, scene: OptionsScene): Promise<void> {
  const { path, item, good, touch } = scene;
  const drawn = {
    ...good,
    metadata: { ...(good['metadata'] as Json), generateName: 'generated-' },
  };
  delete (drawn['metadata'] as Json)['name'];
  const create = async (step: string, query: string, body: Json = good): Promise<Json> =>
    await player.ask(step, 'POST', path, { query, body });
  await create('create with a drawn name', 'dryRun=All', drawn);
  await create('create in a bad dry run', 'dryRun=Some');
  await create('create with two dry runs', 'dryRun=All&dryRun=Some');
  await create('create with a bad check', 'fieldValidation=Odd');
  await create('create by a long manager', `fieldManager=${'x'.repeat(129)}`);
  await create('create by an odd manager', 'fieldManager=%07');
  await create('create elsewhere', 'dryRun=All', {
    ...good,
    metadata: { ...(good['metadata'] as Json), namespace: 'elsewhere' },
  });
  await create('create another version', 'dryRun=All', { ...good, apiVersion: 'odd.example/v7' });
  await create('create with bad labels', 'dryRun=All', {
    ...good,
    metadata: { name: 'bad-labels', labels: { 'a b': 'c d' }, annotations: { 'e f': 'g' } },
  });
  await create('create with owners', 'dryRun=All', {
    ...good,
    metadata: {
      name: 'owned',
      ownerReferences: [{ apiVersion: 'v1', kind: '', name: 'x', uid: '' }],
    },
  });
  const patch = async (
    step: string,
    query: string,
    body: unknown,
    contentType = merge,
  ): Promise<Json> => await player.ask(step, 'PATCH', item, { query, body, contentType });
  await patch('patch dry', 'dryRun=All', touch);
  await patch('patch with force', 'force=true', touch);
  await patch('patch by text', '', touch, 'text/plain');
  await patch('patch by JSON', '', touch, 'application/json');
  await patch('patch by half', '', '{"metadata":', merge);
  await patch('patch by no list', '', {}, 'application/json-patch+json');
  await patch(
    'patch nowhere',
    '',
    [{ op: 'remove', path: '/odd/x' }],
    'application/json-patch+json',
  );
  await patch('patch oddly', '', [{ op: 'odd', path: '/a' }], 'application/json-patch+json');
  await patch('patch the name', 'dryRun=All', { metadata: { name: 'other' } });
  await patch('patch the version', 'dryRun=All', { metadata: { resourceVersion: '1' } });
  await patch('apply as nobody', '', good, apply);
  await patch(
    'apply another name',
    'fieldManager=a',
    {
      ...good,
      metadata: { name: 'other' },
    },
    apply,
  );
  await patch('apply without a kind', 'fieldManager=a', { metadata: good['metadata'] }, apply);
  await patch(
    'apply managers',
    'fieldManager=a',
    {
      ...good,
      metadata: { ...(good['metadata'] as Json), managedFields: [{ manager: 'x' }] },
    },
    apply,
  );
  await patch('apply bad YAML', 'fieldManager=a', 'a: [b', apply);
  await patch('apply an unknown field', 'fieldManager=a&dryRun=All', { ...good, odd: 1 }, apply);
}

async function playDeletions(player: Player, { path, item }: OptionsScene): Promise<void> {
  const remove = async (step: string, query: string, body?: Json): Promise<Json> =>
    await player.ask(step, 'DELETE', item, { query, ...(body === undefined ? {} : { body }) });
  await remove('delete with a bad grace', 'gracePeriodSeconds=x');
  await remove('delete with a bad policy', 'propagationPolicy=Odd');
  await remove('delete with two policies', 'propagationPolicy=Orphan&orphanDependents=true');
  await remove('delete with an old version', '', { preconditions: { resourceVersion: '1' } });
  await remove('delete by a bad body', '', { gracePeriodSeconds: 'x' });
  await remove('delete by another kind', '', { kind: 'Pod', apiVersion: 'v1' });
  await remove('delete in a bad dry run', 'dryRun=Some');
  const all = { query: 'dryRun=All&labelSelector=scene%3Dyes' };
  await player.ask('delete all dry', 'DELETE', path, all);
  await player.ask('delete all by a bad field', 'DELETE', path, {
    query: 'fieldSelector=spec.odd%3D1',
  });
  await player.ask('look at it', 'HEAD', item);
  await player.ask('what may be done', 'OPTIONS', item);
}

export async function playOptions(player: Player, scene: OptionsScene): Promise<void> {
  await playLists(player, scene);
  await playForms(player, scene);
  await playWrites(player, scene);
  await playDeletions(player, scene);
}
