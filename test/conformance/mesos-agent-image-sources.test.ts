// Where images come from: archives of `docker save` and OCI layouts in a folder, registries that want a
// password or a token; and what holds without overlayfs. Needs root, docker-registry and busybox.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSign } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { ImageStore } from '#mesos/agent/image-store.ts';
import { DockerConfig, NO_LOGINS } from '#mesos/agent/registry-auth.ts';
import type { Image, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { type ContainerdFixture, findContainerd } from '#test/support/containerd.ts';
import { canServeImages, DockerRegistry, type Layer } from '#test/support/docker-registry.ts';
import { TestFramework } from '#test/support/framework.ts';
import { type ArchiveForm, writeArchive } from '#test/support/image-archives.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const isRoot = process.getuid?.() === 0;
const skip = isRoot && canServeImages ? false : 'needs root, docker-registry and busybox';
/** Who waits for as long as it takes. */
const never = new AbortController().signal;
const FORMS: readonly ArchiveForm[] = ['docker', 'oci', 'oci-folder', 'before-1.10'];

const LAYERS: readonly Layer[] = [
  {
    'bin/busybox': 'busybox',
    'bin/sh': '->busybox',
    'bin/cat': '->busybox',
    'bin/ls': '->busybox',
    'data/gone': 'below',
    'data/kept': 'kept',
    'hidden/by/opaque': 'below',
    'folder/in': 'below',
    link: '->/etc',
  },
  {
    'data/.wh.gone': '',
    'hidden/.wh..wh..opq': '',
    'hidden/new': 'above',
    // A file where there was a folder, and a folder where there was a link.
    folder: 'now a file',
    'link/passwd': 'of the image',
  },
];
const LOOKS_RIGHT = [
  '[ ! -e /data/gone ] && [ "$(cat /data/kept)" = kept ]',
  '[ "$(ls /hidden)" = new ]',
  '[ "$(cat /folder)" = "now a file" ]',
  '[ "$(ls /link)" = passwd ] && [ "$(cat /link/passwd)" = "of the image" ]',
  'echo mine >/data/kept && echo out >given/out',
].join(' && ');

function login(host: string, auth: string): string {
  return JSON.stringify({ auths: { [host]: { auth: Buffer.from(auth).toString('base64') } } });
}

/** It serves ali only, who says "open sesame". */
async function startWithPassword(registry: DockerRegistry): Promise<void> {
  const path = join(registry.folder, 'htpasswd');
  // bcrypt of "open sesame"
  writeFileSync(path, 'ali:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n');
  registry.authorization = `Basic ${Buffer.from('ali:open sesame').toString('base64')}`;
  await registry.start({ htpasswd: { realm: 'cave', path } });
}

const containerd = findContainerd();
const noContainerd = skip !== false ? skip : containerd.ok ? false : containerd.reason;
const OWN = { image_providers: 'docker' };
const WAYS: readonly [string, Readonly<Record<string, string>>, string | false][] = [
  ['overlay', { ...OWN, image_provisioner_backend: 'overlay' }, skip],
  ['copy', { ...OWN, image_provisioner_backend: 'copy' }, skip],
  ['containerd', { containerizers: 'containerd,mesos' }, noContainerd],
];

for (const [way, own, why] of WAYS) {
  suite(`images of archives, by ${way} (${bestMaster} master)`, { skip: why }, () => {
    const store = mkdtempSync(join(tmpdir(), 'strata-archives-'));
    const machine = new AgentMachine(bestMaster);
    let framework: TestFramework;
    let fixture: ContainerdFixture | undefined;
    before(async () => {
      for (const form of FORMS) writeArchive(store, `box/${form}`, form, LAYERS);
      if (way === 'containerd' && containerd.ok) fixture = await containerd.start();
      const socket = fixture === undefined ? {} : { containerd_socket: fixture.socket };
      const flags = { ...own, ...socket, docker_registry: store };
      await machine.start(Object.entries(flags).flatMap(([k, v]) => ['--flag', `${k}=${v}`]));
      framework = new TestFramework(machine.masterUrl, env);
    });
    after(async () => {
      await framework?.close();
      await machine.close();
      await fixture?.stop();
      rmSync(store, { recursive: true });
    });

    async function ended(id: string, name: string, script: string): Promise<TaskStatus> {
      const mesos = { image: { type: 'DOCKER' as const, docker: { name } } };
      const volumes = [{ mode: 'RW' as const, container_path: 'given', host_path: 'own' }];
      framework.launch([{ id, script, mem: 32, container: { type: 'MESOS', mesos, volumes } }]);
      const isEnd = (one: TaskStatus): boolean =>
        one.task_id.value === id && /FINISHED|FAILED|ERROR/.test(one.state);
      await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
      return framework.updates.find(isEnd) as TaskStatus;
    }

    for (const form of FORMS) {
      test(`${form}: layers lie over one another, opaque folders and whiteouts hide`, async () => {
        for (const id of [form, `${form}-again`]) {
          const end = await ended(id, `box/${form}`, LOOKS_RIGHT);
          assert.equal(`${end.state} ${end.message}`, 'TASK_FINISHED Command exited with status 0');
        }
      });
    }

    test('what is not there, or leads out, ends the task with the reason', async () => {
      assert.match((await ended('none', 'no/such', 'true')).message ?? '', /there is neither/);
      assert.match((await ended('out', '../box', 'true')).message ?? '', /is no name of an image/);
    });
  });
}

suite(
  `passwords of registries, by containerd (${bestMaster} master)`,
  { skip: noContainerd },
  () => {
    const machine = new AgentMachine(bestMaster);
    const registry = new DockerRegistry();
    let framework: TestFramework;
    let fixture: ContainerdFixture | undefined;
    before(async () => {
      await startWithPassword(registry);
      await registry.push('own/box', LAYERS, {});
      if (containerd.ok) fixture = await containerd.start();
      const flags = {
        containerizers: 'containerd,mesos',
        containerd_socket: fixture?.socket ?? '',
        docker_config: login(registry.host, 'ali:open'),
      };
      await machine.start(Object.entries(flags).flatMap(([k, v]) => ['--flag', `${k}=${v}`]));
      framework = new TestFramework(machine.masterUrl, env);
    });
    after(async () => {
      await framework?.close();
      await machine.close();
      await fixture?.stop();
      await registry.close();
    });

    async function ended(id: string, words?: string): Promise<TaskStatus> {
      const data = Buffer.from(login(registry.host, words ?? ''));
      const config =
        words === undefined ? {} : { config: { type: 'VALUE' as const, value: { data } } };
      const image = {
        type: 'DOCKER' as const,
        docker: { name: `${registry.host}/own/box`, ...config },
      };
      const container = { type: 'MESOS' as const, mesos: { image } };
      framework.launch([{ id, script: 'cat /data/kept', mem: 32, container }]);
      const isEnd = (one: TaskStatus): boolean =>
        one.task_id.value === id && /FINISHED|FAILED|ERROR/.test(one.state);
      await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
      return framework.updates.find(isEnd) as TaskStatus;
    }

    test('the wrong one, of the agent or of the task, is told; nothing is left of the attempt', async () => {
      for (const [id, words] of [
        ['agents', undefined],
        ['tasks', 'ali:sesame'],
      ] as const) {
        const { state, message } = await ended(id, words);
        assert.equal(state, 'TASK_FAILED');
        assert.match(message ?? '', /Failed to pull image '.*own\/box': .* was answered with 401/);
      }
      assert.equal(fixture?.ctr('mesos', 'images', 'ls', '-q'), '');
    });

    test("the task's own goes before the agent's", async () => {
      const { state, message } = await ended('right', 'ali:open sesame');
      assert.equal(`${state} ${message}`, 'TASK_FINISHED Command exited with status 0');
    });
  },
);

suite('image stores and their sources', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-image-store-'));
  after(() => rmSync(folder, { recursive: true }));
  const dockerImage = (name: string): Image => ({ type: 'DOCKER', docker: { name } });

  test('an archive whose layer is not that of its digest leaves nothing', async () => {
    const archives = join(folder, 'archives');
    writeArchive(archives, 'bad', 'oci-folder', [{ a: 'x' }]);
    const blobs = join(archives, 'bad/blobs/sha256');
    for (const name of readdirSync(blobs)) {
      const bytes = readFileSync(join(blobs, name));
      if (bytes.length > 5000) writeFileSync(join(blobs, name), Buffer.alloc(bytes.length));
    }
    const at = join(folder, 'bad-store');
    const store = new ImageStore({ folder: at, registry: archives, logins: NO_LOGINS });
    await assert.rejects(store.get(dockerImage('bad'), 'x', never), /Content is sha256:/);
    assert.deepEqual([readdirSync(join(at, 'layers')), readdirSync(join(at, 'staging'))], [[], []]);
  });

  test('images that nobody holds or excludes are pruned, with the layers only they have', async () => {
    const archives = join(folder, 'to-prune');
    const shared = { shared: 'by all' };
    for (const name of ['used', 'kept', 'unused']) {
      writeArchive(archives, name, 'docker', [shared, { own: name }]);
    }
    const at = join(folder, 'pruned');
    const store = new ImageStore({ folder: at, registry: archives, logins: NO_LOGINS });
    const layers = (): number =>
      readdirSync(join(at, 'layers')).filter((name) => !name.endsWith('.json')).length;
    for (const name of ['used', 'kept', 'unused'])
      await store.get(dockerImage(name), `/c/${name}`, never);
    assert.equal(layers(), 4);
    store.release('/c/kept');
    store.release('/c/unused');
    assert.equal(await store.prune(['kept:latest']), 1);
    assert.equal(layers(), 3);
    // What is pulled while images are pruned is there afterwards.
    const [, again] = await Promise.all([
      store.prune([]),
      store.get(dockerImage('unused'), '/c/unused', never),
    ]);
    for (const layer of again.layers) assert.ok(readdirSync(layer).length > 0);
    assert.equal(layers(), 3, 'used and unused');
    store.release('/c');
    assert.equal(await store.prune([]), 2);
    assert.equal(layers(), 0);
  });

  test('a registry with passwords serves who has one', async () => {
    const registry = new DockerRegistry();
    await startWithPassword(registry);
    try {
      await registry.push('own/box', LAYERS, {});
      const name = `${registry.host}/own/box`;
      const at = join(folder, 'basic');
      const store = (logins: DockerConfig) =>
        new ImageStore({ folder: at, registry: 'https://127.0.0.1:1', logins });
      await assert.rejects(
        store(NO_LOGINS).get(dockerImage(name), 'x', never),
        /answered with 401/,
      );
      const wrong = DockerConfig.parse(login(registry.host, 'ali:open'));
      await assert.rejects(store(wrong).get(dockerImage(name), 'x', never), /answered with 401/);
      const right = login(`http://${registry.host}/v2/`, 'ali:open sesame');
      const found = await store(DockerConfig.parse(right)).get(dockerImage(name), 'x', never);
      assert.equal(found.layers.length, 2);
      // The image's own secret goes before what the agent was given.
      const data = Buffer.from(login(registry.host, 'ali:open sesame'));
      const config = { type: 'VALUE' as const, value: { data } };
      const own: Image = { type: 'DOCKER', docker: { name, config }, cached: false };
      assert.equal((await store(wrong).get(own, 'x', never)).layers.length, 2);
    } finally {
      await registry.close();
    }
  });

  test('a registry with tokens is served those of its own service', async () => {
    const tokens = await TokenService.start(folder);
    const registry = new DockerRegistry();
    registry.authorization = `Bearer ${tokens.token('own/box', ['push', 'pull'])}`;
    await registry.start({
      token: {
        realm: tokens.url,
        service: 'box service',
        issuer: 'test',
        rootcertbundle: tokens.certificate,
      },
    });
    try {
      await registry.push('own/box', LAYERS, {});
      const name = `${registry.host}/own/box`;
      const at = join(folder, 'token');
      const store = (logins: DockerConfig) =>
        new ImageStore({ folder: at, registry: 'https://127.0.0.1:1', logins });
      await assert.rejects(
        store(NO_LOGINS).get(dockerImage(name), 'x', never),
        /answered with 403/,
      );
      const logins = DockerConfig.parse(login(registry.host, 'ali:open sesame'));
      assert.equal((await store(logins).get(dockerImage(name), 'x', never)).layers.length, 2);
      assert.deepEqual(tokens.asked.at(-1), {
        service: 'box service',
        scope: 'repository:own/box:pull',
      });
    } finally {
      await registry.close();
      await tokens.close();
    }
  });
});

/** Gives tokens to who knows the password, signed as the registry's specification wants them. */
class TokenService {
  readonly asked: { service: string | null; scope: string | null }[] = [];
  readonly certificate: string;
  readonly #key: string;
  readonly #server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://token');
    const scope = searchParams.get('scope');
    this.asked.push({ service: searchParams.get('service'), scope });
    const basic = `Basic ${Buffer.from('ali:open sesame').toString('base64')}`;
    const isKnown = request.headers.authorization === basic;
    const repository = scope?.split(':')[1] ?? '';
    const body = isKnown ? { token: this.token(repository, ['pull']) } : {};
    response.writeHead(isKnown ? 200 : 403, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });

  constructor(folder: string) {
    this.certificate = join(folder, 'token.crt');
    this.#key = join(folder, 'token.key');
    const subject = ['-subj', '/CN=test', '-days', '1'];
    const files = ['-keyout', this.#key, '-out', this.certificate];
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files];
    execFileSync('openssl', args, { stdio: 'ignore' });
  }

  static async start(folder: string): Promise<TokenService> {
    const made = new TokenService(folder);
    await new Promise<void>((done) => made.#server.listen(0, '127.0.0.1', done));
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  token(name: string, actions: readonly string[]): string {
    const pem = readFileSync(this.certificate, 'utf8');
    const der = pem.replace(/-----[^-]+-----|\s/g, '');
    const now = Math.floor(env.clock.now() / 1000);
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: 'test', sub: 'ali', aud: 'box service', jti: 'one' };
    const times = { iat: now, nbf: now - 60, exp: now + 300 };
    const access = [{ type: 'repository', name, actions }];
    const text = [
      part({ typ: 'JWT', alg: 'RS256', x5c: [der] }),
      part({ ...claims, ...times, access }),
    ].join('.');
    const signature = createSign('sha256').update(text).sign(readFileSync(this.#key, 'utf8'));
    return `${text}.${signature.toString('base64url')}`;
  }

  close(): Promise<void> {
    return new Promise((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }
}
