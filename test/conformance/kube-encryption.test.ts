// Encryption at rest: what lies in the store, rotation, reloading, rewriting by command; and that a real
// kube-apiserver v1.37 and this server read what the other wrote into one etcd, with every provider.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { SimClock } from '#env/sim/clock.ts';
import { kubeRewrite } from '#cli/kube-rewrite.ts';
import { openEncrypted, type EncryptedStoreFile } from '#kube/apiserver/encryption/reload.ts';
import { parseEncryption } from '#kube/apiserver/encryption/configuration.ts';
import { openStore } from '#store/open-store.ts';
import { MemoryStore } from '#store/memory-store.ts';
import type { Store } from '#store/store.ts';
import { eventually } from '#test/support/cluster.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import { startKmsPlugin, type KmsPlugin } from '#test/support/kms-plugin.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import type { Target } from '#test/support/kube-sender.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at will
type Json = Record<string, any>;

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
/** Deadlines of calls are those of the day; what passes is as the test says. */
const timeOf = (clock: SimClock): typeof env.clock => ({
  now: () => env.clock.now(),
  monotonicMs: () => clock.monotonicMs(),
});
const secret = (fill: number, size = 32): string => Buffer.alloc(size, fill).toString('base64');
const SECRETS = '/api/v1/namespaces/default/secrets';
const key = (name: string): string => `/registry/secrets/default/${name}`;
const WAIT_MS = 60_000;

function configuration(resources: readonly string[], providers: readonly Json[]): string {
  return JSON.stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [{ resources, providers }],
  });
}

async function send(
  target: Target,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Json }> {
  return (await sendStep(target, { name: path, method, path, body })) as {
    status: number;
    body: Json;
  };
}

const made = (name: string): Json => ({
  metadata: { name },
  stringData: { password: `of ${name}` },
});

async function passwordOf(target: Target, name: string): Promise<string> {
  const { status, body } = await send(target, 'GET', `${SECRETS}/${name}`);
  assert.equal(status, 200, JSON.stringify(body));
  return Buffer.from(body['data'].password, 'base64').toString();
}

const beginning = async (store: Store, at: string): Promise<string> =>
  Buffer.from((await store.get(at))?.value ?? [])
    .subarray(0, 60)
    .toString('latin1');

suite('one server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-encryption-'));
  const file = join(folder, 'encryption.yaml');
  const inner = new MemoryStore();
  let opened: EncryptedStoreFile;
  let own: OwnServer;

  const write = (text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };

  before(async () => {
    write(configuration(['secrets'], [{ identity: {} }]));
    opened = await openEncrypted(inner, file, env);
    own = await startOwnServer({ store: opened.store });
  });

  after(async () => {
    await own.close();
    opened.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what was written plainly stays so until it is rewritten', async () => {
    await send(own.target, 'POST', SECRETS, made('old'));
    assert.match(await beginning(inner, key('old')), /^\{"kind":"Secret"/);
    write(
      configuration(
        ['secrets', 'configmaps'],
        [{ aescbc: { keys: [{ name: 'a', secret: secret(1) }] } }, { identity: {} }],
      ),
    );
    let tries = 0;
    await eventually(
      'the new configuration holds',
      async () => {
        tries += 1;
        await send(own.target, 'POST', SECRETS, made(`new-${tries}`));
        const begins = await beginning(inner, key(`new-${tries}`));
        return begins.startsWith('k8s:enc:aescbc:v1:a:') ? true : undefined;
      },
      WAIT_MS,
    );
    assert.equal(await passwordOf(own.target, 'old'), 'of old');
    assert.match(await beginning(inner, key('old')), /^\{"kind":"Secret"/);
    await kubeRewrite({
      home: folder,
      name: 'default',
      resources: ['secrets', 'configmaps'],
      kubeconfig: join(own.home, 'kubeconfig'),
    });
    const { items } = await inner.range({ start: '/registry/secrets/', end: '/registry/secrets0' });
    assert.ok(items.length > 1);
    for (const { value } of items) {
      assert.ok(Buffer.from(value).subarray(0, 20).equals(Buffer.from('k8s:enc:aescbc:v1:a:')));
    }
    const { resourceVersion } = (await send(own.target, 'GET', `${SECRETS}/old`)).body['metadata'];
    // Once is enough: what is as it would be written is left alone.
    await kubeRewrite({
      home: folder,
      name: 'default',
      resources: ['secrets'],
      kubeconfig: join(own.home, 'kubeconfig'),
    });
    const again = await send(own.target, 'GET', `${SECRETS}/old`);
    assert.equal(again.body['metadata'].resourceVersion, resourceVersion);
  });

  test('keys are rotated: the first writes, all read', async () => {
    const keys = [
      { name: 'b', secret: secret(2) },
      { name: 'a', secret: secret(1) },
    ];
    write(configuration(['*.'], [{ secretbox: { keys } }, { aescbc: { keys: [keys[1]] } }]));
    await eventually(
      'the second key writes',
      async () => {
        await send(own.target, 'PUT', `${SECRETS}/old`, {
          ...(await send(own.target, 'GET', `${SECRETS}/old`)).body,
        });
        const begins = await beginning(inner, key('old'));
        return begins.startsWith('k8s:enc:secretbox:v1:b:') ? true : undefined;
      },
      WAIT_MS,
    );
    const { body } = await send(own.target, 'GET', SECRETS);
    assert.ok(body['items'].length > 1);
    assert.equal(await passwordOf(own.target, 'old'), 'of old');
  });

  test('a wrong configuration is not taken up', async () => {
    write(
      configuration(['secrets'], [{ aescbc: { keys: [{ name: 'x', secret: secret(1, 5) }] } }]),
    );
    assert.equal(await passwordOf(own.target, 'old'), 'of old');
  });

  test('what has been encrypted otherwise is refused by name', async () => {
    const at = key('foreign');
    await inner.txn({
      compare: [],
      then: [
        { kind: 'put', key: at, value: Buffer.from('k8s:enc:aescbc:v1:other:0123456789abcdef') },
      ],
    });
    const { status, body } = await send(own.target, 'GET', `${SECRETS}/foreign`);
    assert.equal(status, 500);
    assert.equal(
      body['message'],
      `Internal error occurred: StorageError: corrupt object, Code: 7, Key: ${at.slice('/registry'.length)}, ResourceVersion: 0, AdditionalErrorMsg: data from the storage is not transformable revision=0: no matching prefix found`,
    );
    await inner.txn({ compare: [], then: [{ kind: 'delete', key: at }] });
  });
});

test('health tells of every plugin that is not well, as upstream does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-plugins-'));
  const file = join(folder, 'encryption.yaml');
  const sockets = [0, 1].map((i) => join(folder, `kms-${i}.sock`));
  const plugins = await Promise.all(sockets.map((socket) => startKmsPlugin(socket)));
  const providers = sockets.map((socket, i) => ({
    kms: { apiVersion: 'v2', name: `p-${i}`, endpoint: `unix://${socket}` },
  }));
  writeFileSync(file, configuration(['secrets'], providers));
  const clock = new SimClock();
  const opened = await openEncrypted(new MemoryStore(), file, { ...env, clock: timeOf(clock) });
  const failure = async (): Promise<string> => {
    // What was found is told again for twenty seconds.
    clock.advance(20_001);
    return await opened.check().then(
      () => 'ok',
      (error: Error) => error.message,
    );
  };
  const of = (i: number): string =>
    `kms-provider-${i}: failed to perform status section of the healthz check for KMS Provider p-${i}, error: rpc error: code = FailedPrecondition desc = failed precondition - key disabled`;
  try {
    assert.equal(await failure(), 'ok');
    plugins[0]?.fail(true);
    assert.equal(await opened.check(), undefined, 'what was found is told again');
    assert.equal(await failure(), of(0));
    plugins[1]?.fail(true);
    assert.equal(await failure(), `[${of(0)}, ${of(1)}]`);
    for (const plugin of plugins) plugin.fail(false);
    assert.equal(await failure(), 'ok');
  } finally {
    opened.close();
    for (const plugin of plugins) plugin.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('configurations are refused in the words of upstream', () => {
  const keys = [{ name: 'a', secret: secret(1) }];
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      configuration(['secrets'], [{ aesgcm: { keys: [{ name: 'a', secret: secret(1, 31) }] } }]),
      /secret is not of the expected length, got 31, expected one of \[16 24 32\]/,
    ],
    [
      configuration(['secrets'], [{ aescbc: { keys }, identity: {} }]),
      /more than one provider specified in a single element/,
    ],
    [configuration(['secrets', '*.'], [{ aescbc: { keys } }]), /overlapping resources/],
    [configuration(['*'], [{ aescbc: { keys } }]), /use '\*\.' to encrypt all the resources/],
    [configuration(['secrets'], []), /at least one resources\[0\]\.providers is required/],
    [
      configuration(['secrets'], [{ kms: { apiVersion: 'v2', name: 'a', endpoint: 'tcp://x' } }]),
      /only unix is supported/,
    ],
  ];
  for (const [text, words] of cases) assert.throws(() => parseEncryption(text), words);
});

const etcd = findEtcd();
const skip = etcd.ok ? skipWithout(['etcd', 'kube-apiserver']) : etcd.reason;

suite('beside kube-apiserver on one etcd', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-portable-'));
  let cluster: EtcdCluster;
  let plugin: KmsPlugin;

  before(async () => {
    cluster = await EtcdCluster.start(etcd.ok ? etcd.path : '', { size: 1 });
    plugin = await startKmsPlugin(join(folder, 'kms.sock'));
  });

  after(async () => {
    plugin.close();
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test('each reads what the other wrote, with every provider', async (t) => {
    const namespace = '/api/v1/namespaces/default';
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    const kms = { apiVersion: 'v2', name: 'kms', endpoint: `unix://${join(folder, 'kms.sock')}` };
    const cases = [
      {
        resource: 'secrets',
        provider: { aescbc: { keys: [{ name: 'cbc', secret: secret(1) }] } },
        path: `${namespace}/secrets`,
        begins: 'k8s:enc:aescbc:v1:cbc:',
      },
      {
        resource: 'configmaps',
        provider: { aesgcm: { keys: [{ name: 'gcm', secret: secret(2, 16) }] } },
        path: `${namespace}/configmaps`,
        begins: 'k8s:enc:aesgcm:v1:gcm:',
      },
      {
        resource: 'serviceaccounts',
        provider: { secretbox: { keys: [{ name: 'box', secret: secret(3) }] } },
        path: `${namespace}/serviceaccounts`,
        begins: 'k8s:enc:secretbox:v1:box:',
      },
      {
        resource: 'leases.coordination.k8s.io',
        provider: { kms },
        path: leases,
        begins: 'k8s:enc:kms:v2:kms:',
      },
    ];
    const file = join(folder, 'encryption.yaml');
    const document = {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'EncryptionConfiguration',
      resources: cases.map(({ resource, provider }) => ({
        resources: [resource],
        providers: [provider, { identity: {} }],
      })),
    };
    writeFileSync(file, JSON.stringify(document));
    const real = await startRealServer(realProgram('.'), {
      'etcd-servers': cluster.endpoints.join(','),
      'encryption-provider-config': file,
    });
    t.after(() => real.close());
    const spec = { kind: 'etcd', endpoints: cluster.endpoints, prefix: '' } as const;
    const inner = await openStore(spec, env);
    t.after(async () => await inner[Symbol.asyncDispose]());
    const opened = await openEncrypted(inner, file, env);
    t.after(() => opened.close());
    const own = await startOwnServer({ store: opened.store });
    t.after(() => own.close());
    const writers = { theirs: real.target, ours: own.target } as const;
    for (const { resource, path, begins } of cases) {
      for (const [who, other] of [
        ['theirs', 'ours'],
        ['ours', 'theirs'],
      ] as const) {
        const metadata = { name: `by-${who}`, labels: { writer: who } };
        const wrote = await send(writers[who], 'POST', path, { metadata });
        assert.equal(wrote.status, 201, JSON.stringify(wrote.body));
        const at = `/registry/${resource.split('.')[0]}/default/by-${who}`;
        await inner.current();
        assert.ok((await beginning(inner, at)).startsWith(begins), `${resource} by ${who}`);
        const read = await send(writers[other], 'GET', `${path}/by-${who}`);
        assert.equal(read.body['metadata'].labels.writer, who, JSON.stringify(read.body));
        const list = await send(writers[other], 'GET', path);
        assert.equal(list.status, 200);
      }
    }
    // A seed is asked for once, however many values are under it.
    assert.ok(plugin.calls.decrypt <= 4, `the plugin was asked ${plugin.calls.decrypt} times`);
  });
});

test('a plugin may be behind a name that is no file', async () => {
  const name = `strata-test-kms-${process.pid}`;
  const plugin = await startKmsPlugin(`\0${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-abstract-'));
  const file = join(folder, 'encryption.yaml');
  const kms = { apiVersion: 'v2', name: 'kms', endpoint: `unix:///@${name}` };
  writeFileSync(file, configuration(['secrets'], [{ kms }]));
  const opened = await openEncrypted(new MemoryStore(), file, env);
  assert.ok(plugin.calls.encrypt > 0);
  opened.close();
  plugin.close();
  rmSync(folder, { recursive: true, force: true });
});
