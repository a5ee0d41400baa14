// Values of the store that nobody can read: what is told of them, and how they are deleted. The answers are those of
// kube-apiserver v1.37, which is asked, too, where it is.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { openEncrypted } from '#kube/apiserver/encryption/reload.ts';
import { encodeEnvelope } from '#kube/types/protobuf.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { openStore } from '#store/open-store.ts';
import type { Store } from '#store/store.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import type { Target } from '#test/support/kube-sender.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at will
type Json = Record<string, any>;

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const NAMESPACE = '/api/v1/namespaces/default';
const MAPS = `${NAMESPACE}/configmaps`;
const SECRETS = `${NAMESPACE}/secrets`;
const UNSAFE = 'ignoreStoreReadErrorWithClusterBreakingPotential';
const unsafe = { [UNSAFE]: true };

const EOF_FAULT = 'object not decodable revision=N: unexpected EOF';
const HALF_FAULT =
  "object not decodable revision=N: couldn't get version/kind; json parse error: unexpected end of JSON input";
const SEALED_FAULT =
  'data from the storage is not transformable revision=0: identity transformer tried to read encrypted data';
const CUT_FAULT =
  'data from the storage is not transformable revision=0: cipher: message authentication failed';

const corrupt = (key: string, why: string): string =>
  `StorageError: corrupt object, Code: 7, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;

const failure = (code: number, reason: string, message: string, details?: Json): Json => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message,
  ...(reason === '' ? {} : { reason }),
  ...(details === undefined ? {} : { details }),
  code,
});

function ofOne(key: string, why: string): Json {
  const message = corrupt(key, why);
  const details = { causes: [{ message }] };
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, details);
}

function ofList(kind: string, found: readonly (readonly [string, string])[]): Json {
  const causes = found.map(([name, why]) => {
    const field = `/registry/${kind}/default/${name}`;
    return { reason: 'UnexpectedServerResponse', message: corrupt(field, why), field };
  });
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
  const message = `failed to read one or more ${kind} from the storage: ${causes[0]?.message}${more}`;
  return failure(500, 'StorageReadError', message, { name: 'list', kind, causes });
}

function invalidOptions(...whys: readonly string[]): Json {
  const causes = whys.map((why) => ({
    reason: 'FieldValueInvalid',
    message: `Invalid value: true: ${why}`,
    field: UNSAFE,
  }));
  const all = causes.map(({ field, message }) => `${field}: ${message}`).join(', ');
  const told = causes.length === 1 ? all : `[${all}]`;
  const details = { group: 'meta.k8s.io', kind: 'DeleteOptions', causes };
  return failure(422, 'Invalid', `DeleteOptions.meta.k8s.io "" is invalid: ${told}`, details);
}

const deleted = (name: string, kind: string): Json => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: { name, kind },
  code: 200,
});

const missing = (name: string, kind: string): Json =>
  failure(404, 'NotFound', `${kind} "${name}" not found`, { name, kind });

const readable = (name: string): Json => {
  const key = `/registry/configmaps/default/${name}`;
  const why = 'unsafe deletion is not allowed because the object is decodable from storage';
  const message = `Operation cannot be fulfilled on configmaps "${name}": StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
  return failure(409, 'Conflict', message, { name, kind: 'configmaps' });
};

const unprovided =
  'no unsafe deleter provided, can not honor ignoreStoreReadErrorWithClusterBreakingPotential';

const notForPods = 'can not be set for pod eviction, try after removing the option';

const maps = [
  ['enc', SEALED_FAULT],
  ['flip', EOF_FAULT],
  ['half', HALF_FAULT],
] as const;

type Step = readonly [method: string, path: string, body: unknown, answer: Json];

const steps: readonly Step[] = [
  ...maps.map(([name, why]): Step => [
    'GET',
    `${MAPS}/${name}`,
    undefined,
    ofOne(`/configmaps/default/${name}`, why),
  ]),
  ['GET', `${SECRETS}/cut`, undefined, ofOne('/secrets/default/cut', CUT_FAULT)],
  ['GET', MAPS, undefined, ofList('configmaps', maps)],
  ['GET', '/api/v1/configmaps?labelSelector=a%3Db', undefined, ofList('configmaps', maps)],
  ['GET', SECRETS, undefined, ofList('secrets', [['cut', CUT_FAULT]])],
  ['DELETE', MAPS, undefined, ofList('configmaps', maps)],
  [
    'DELETE',
    MAPS,
    unsafe,
    invalidOptions('is not allowed with DELETECOLLECTION, try again after removing the option'),
  ],
  ['DELETE', `${MAPS}/flip`, undefined, ofOne('/configmaps/default/flip', EOF_FAULT)],
  ['DELETE', `${MAPS}/flip`, { dryRun: ['All'] }, ofOne('/configmaps/default/flip', EOF_FAULT)],
  ['DELETE', `${MAPS}/fine`, unsafe, readable('fine')],
  ['DELETE', `${MAPS}/none`, unsafe, missing('none', 'configmaps')],
  [
    'DELETE',
    `${MAPS}/half`,
    {
      ...unsafe,
      propagationPolicy: 'Foreground',
      gracePeriodSeconds: 5,
      preconditions: { uid: 'x' },
    },
    invalidOptions(
      'cannot be set together with .propagationPolicy',
      'cannot be set together with .gracePeriodSeconds',
      'cannot be set together with .preconditions',
    ),
  ],
  [
    'DELETE',
    `${MAPS}/half`,
    { ...unsafe, orphanDependents: true },
    invalidOptions('cannot be set together with .orphanDependents'),
  ],
  ['DELETE', `${MAPS}/half`, { ...unsafe, dryRun: ['All'] }, deleted('half', 'ConfigMap')],
  ['GET', `${MAPS}/half`, undefined, ofOne('/configmaps/default/half', HALF_FAULT)],
  ...maps.map(([name]): Step => ['DELETE', `${MAPS}/${name}`, unsafe, deleted(name, 'ConfigMap')]),
  ['GET', `${MAPS}/half`, undefined, missing('half', 'configmaps')],
  ['DELETE', `${SECRETS}/cut?${UNSAFE}=true`, undefined, deleted('cut', 'Secret')],
  [
    'POST',
    `${NAMESPACE}/pods/x/eviction`,
    {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'x' },
      deleteOptions: unsafe,
    },
    failure(
      422,
      'Invalid',
      `Eviction.policy "x" is invalid: deleteOptions.${UNSAFE}: Invalid value: true: ${notForPods}`,
      {
        name: 'x',
        group: 'policy',
        kind: 'Eviction',
        causes: [
          {
            reason: 'FieldValueInvalid',
            message: `Invalid value: true: ${notForPods}`,
            field: `deleteOptions.${UNSAFE}`,
          },
        ],
      },
    ),
  ],
  [
    'DELETE',
    '/api/v1/namespaces/default',
    unsafe,
    failure(500, 'InternalError', `Internal error occurred: ${unprovided}`, {
      causes: [{ message: unprovided }],
    }),
  ],
];

async function send(target: Target, method: string, path: string, body?: unknown): Promise<Json> {
  const answer = (await sendStep(target, { name: path, method, path, body })) as { body: Json };
  return JSON.parse(
    JSON.stringify(answer.body).replaceAll(/ revision=[1-9]\d*:/g, ' revision=N:'),
  ) as Json;
}

/** Spoils what it needs in the store, by which the server holds what it answers. */
async function play(target: Target, store: Store): Promise<void> {
  const put = async (key: string, value: Uint8Array | string): Promise<void> => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    await store.txn({ compare: [], then: [{ kind: 'put', key, value: bytes }] });
  };
  const map = (name: string): Json => ({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name, namespace: 'default', uid: name },
  });
  await send(target, 'POST', MAPS, { metadata: { name: 'fine' } });
  await send(target, 'POST', SECRETS, { metadata: { name: 'cut' } });
  await store.current();
  const sealed = await store.get('/registry/secrets/default/cut');
  assert.match(Buffer.from(sealed?.value ?? []).toString('latin1'), /^k8s:enc:aesgcm:v1:a:/);
  await put('/registry/secrets/default/cut', (sealed?.value ?? new Uint8Array()).slice(0, -1));
  const flipped = Buffer.from(encodeEnvelope(map('flip')) ?? []);
  flipped.writeUInt8((flipped.at(-1) ?? 0) ^ 0xff, flipped.length - 1);
  const at = (name: string): string => `/registry/configmaps/default/${name}`;
  await put(at('flip'), flipped);
  await put(at('half'), JSON.stringify(map('half')).slice(0, -2));
  await put(at('enc'), 'k8s:enc:aesgcm:v1:a:xx');
  for (const [method, path, body, answer] of steps) {
    const what = `${method} ${path} ${JSON.stringify(body)}`;
    assert.deepEqual(await send(target, method, path, body), answer, what);
  }
}

const etcd = findEtcd();
const skip = etcd.ok ? skipWithout(['etcd', 'kube-apiserver']) : etcd.reason;

suite('what cannot be read is told of, and deleted only by who may', () => {
  const configure = (folder: string): string => {
    const file = join(folder, 'encryption.yaml');
    const keys = [{ name: 'a', secret: Buffer.alloc(32, 1).toString('base64') }];
    const document = {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'EncryptionConfiguration',
      resources: [{ resources: ['secrets'], providers: [{ aesgcm: { keys } }] }],
    };
    writeFileSync(file, JSON.stringify(document));
    return file;
  };

  test('by this server', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-test-unreadable-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const inner = new MemoryStore();
    const opened = await openEncrypted(inner, configure(folder), env);
    t.after(() => opened.close());
    const own = await startOwnServer({ store: opened.store });
    t.after(() => own.close());
    await play(own.target, inner);
  });

  test('by kube-apiserver', { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-test-unreadable-'));
    const cluster = await EtcdCluster.start(etcd.ok ? etcd.path : '', { size: 1 });
    // It does not end without its etcd.
    const ends = [
      async () => await cluster[Symbol.asyncDispose](),
      () => rmSync(folder, { recursive: true, force: true }),
    ];
    t.after(async () => {
      for (const end of ends) await end();
    });
    const real = await startRealServer(realProgram('.'), {
      'etcd-servers': cluster.endpoints.join(','),
      'encryption-provider-config': configure(folder),
    });
    ends.unshift(() => real.close());
    const spec = { kind: 'etcd', endpoints: cluster.endpoints, prefix: '' } as const;
    const store = await openStore(spec, env);
    ends.unshift(async () => await store[Symbol.asyncDispose]());
    await play(real.target, store);
  });
});

test('the verb of it is asked for by name', async (t) => {
  const store = new MemoryStore();
  const own = await startOwnServer({ store });
  t.after(() => own.close());
  const key = '/registry/secrets/default/bad';
  const spoil = { kind: 'put', key, value: Buffer.from('{') } as const;
  await store.txn({ compare: [], then: [spoil] });
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  const grant = async (name: string, verb: string): Promise<void> => {
    const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: [verb] }];
    await send(own.target, 'POST', `${rbac}/roles`, { metadata: { name }, rules });
    const apiGroup = 'rbac.authorization.k8s.io';
    await send(own.target, 'POST', `${rbac}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup, kind: 'Role', name },
      subjects: [{ apiGroup, kind: 'User', name: 'croc' }],
    });
  };
  const headers = { ...own.target.headers, 'impersonate-user': 'croc' };
  const croc = { ...own.target, headers };
  await grant('plain', 'delete');
  const why = 'not permitted to do "unsafe-delete-ignore-read-errors", reason: ';
  assert.deepEqual(
    await send(croc, 'DELETE', `${SECRETS}/bad`, unsafe),
    failure(403, 'Forbidden', `secrets "bad" is forbidden: ${why}`, {
      name: 'bad',
      kind: 'secrets',
    }),
  );
  await grant('unsafe', 'unsafe-delete-ignore-read-errors');
  assert.deepEqual(await send(croc, 'DELETE', `${SECRETS}/bad`, unsafe), deleted('bad', 'Secret'));
  assert.equal(await store.get(key), undefined);
});
