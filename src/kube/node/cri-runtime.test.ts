// Pods through a real containerd with an image made of the machine's own programs: life, logs,
// volumes, exec, attach, ports, limits, and restarts of executor and of containerd.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { findContainerd, toolsImage, type ContainerdFixture } from '#test/support/containerd.ts';
import type { PodWorker } from './pod-worker.ts';
import type { PodSpec } from './pod-spec.ts';
import { NodeFixture, aPod } from './worker-fixture.test.ts';

const found = findContainerd();
const skip = found.ok ? false : found.reason;
let containerd: ContainerdFixture;

before(async () => {
  if (found.ok) containerd = await found.start();
});
after(() => containerd?.stop());

function fixture(): NodeFixture {
  return new NodeFixture({
    privileged: true,
    podCidr: `10.${200 + (process.pid % 50)}.7.0/24`,
    criSocket: containerd.socket,
  });
}

const shell = (script: string): { image: string; command: string[] } => ({
  image: toolsImage,
  command: ['sh', '-c', script],
});

const once = (script: string, more: Partial<PodSpec> = {}): PodSpec => ({
  restartPolicy: 'Never',
  containers: [{ name: 'main', ...shell(script) }],
  ...more,
});

function terminated(worker: PodWorker, name = 'main'): Record<string, unknown> {
  const status = worker.status();
  const all = [...status.containerStatuses, ...((status['initContainerStatuses'] ?? []) as [])];
  const state = all.find((each) => each.name === name)?.state as { terminated?: never } | undefined;
  return state?.terminated ?? {};
}

const isRunning = (worker: PodWorker): boolean => worker.status().phase === 'Running';

test('a pod runs to its end from its image, and says what it said', { skip }, async () => {
  await using node = fixture();
  const worker = await node.run(
    aPod('once', once('echo hello $FROM_IMAGE; echo oops >&2; exit 3')),
  );
  await node.until(() => node.finished.has('once'));
  assert.equal(terminated(worker)['exitCode'], 3);
  const log = await node.logOf(worker, 'main');
  assert.deepEqual(log.split('\n').toSorted(), ['', 'hello yes', 'oops']);
  const stamped = await node.logOf(worker, 'main', { timestamps: true, stream: 'stderr' });
  assert.match(stamped, /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) oops\n$/);
  assert.deepEqual(
    node.events.map(({ reason }) => reason),
    ['Pulled', 'Created', 'Started'],
  );
});

test(
  'volumes, environment, working folder, user and limits reach the container',
  { skip },
  async () => {
    await using node = fixture();
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } };
    node.objects.set('configmap/default/settings', { ...object, data: { color: 'blue' } });
    const script =
      'cat /conf/color; echo; id -u; echo $POD; cat /proc/self/cgroup | head -1 >&2; ' +
      'echo kept >/shared/file; cat /shared/file; pwd; tail -n 1 /etc/hosts 2>/dev/null; hostname; ' +
      'touch /conf/x 2>/dev/null || echo read-only; echo bye >/dev/termination-log';
    const worker = await node.run(
      aPod('vols', {
        restartPolicy: 'Never',
        securityContext: { runAsUser: 1234, fsGroup: 4321 },
        volumes: [
          { name: 'conf', configMap: { name: 'settings' } },
          { name: 'shared', emptyDir: {} },
        ],
        initContainers: [{ name: 'first', ...shell('echo from-init >/shared/init') }].map(
          (container) => ({
            ...container,
            volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          }),
        ),
        containers: [
          {
            name: 'main',
            ...shell(script),
            workingDir: '/tmp',
            env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
            volumeMounts: [
              { name: 'conf', mountPath: '/conf' },
              { name: 'shared', mountPath: '/shared' },
            ],
            resources: { limits: { memory: '64Mi', cpu: '500m' } },
          },
        ],
      }),
    );
    await node.until(() => node.finished.has('vols'));
    assert.equal(
      await node.logOf(worker, 'main', { stream: 'stdout' }),
      'blue\n1234\nvols\nkept\n/tmp\nvols\nread-only\n',
    );
    assert.equal(terminated(worker)['message'], 'bye\n');
    assert.equal(terminated(worker, 'first')['exitCode'], 0);
  },
);

test('exec with and without a terminal, input, exit status, attach', { skip }, async () => {
  await using node = fixture();
  const spec: PodSpec = {
    containers: [{ name: 'main', image: toolsImage, command: ['cat'], stdin: true }],
  };
  const worker = await node.run(aPod('talk', spec));
  await node.until(() => isRunning(worker));
  const place = worker.place('main', 0);
  const { runtime } = worker;
  const script = 'cat; echo err >&2; exit 7';
  const plain = await runtime.exec(place, {
    command: ['sh', '-c', script],
    tty: false,
    stdin: true,
  });
  assert.ok(plain.stderr !== undefined);
  plain.stdin?.end('typed\n');
  const [out, err, code] = await Promise.all([
    text(plain.stdout),
    text(plain.stderr),
    plain.exitCode,
  ]);
  assert.deepEqual([out, err, code], ['typed\n', 'err\n', 7]);
  const terminal = await runtime.exec(place, { command: ['sh'], tty: true, stdin: true });
  terminal.resize({ columns: 91, rows: 17 });
  terminal.stdin?.write(
    'tty; while [ "$(stty size)" != "17 91" ]; do :; done; stty size; exit 4\n',
  );
  const [shown, status] = await Promise.all([text(terminal.stdout), terminal.exitCode]);
  assert.match(shown, /\/dev\/pts\/\d+[\s\S]*17 91/);
  assert.equal(status, 4);
  const attached = await runtime.attach(place);
  attached.stdin?.write('through cat\n');
  const [first] = (await attached.stdout[Symbol.asyncIterator]().next()).value
    .toString()
    .split('\n');
  assert.equal(first, 'through cat');
  attached.kill();
  const absent = runtime.exec(place, { command: ['no-such'], tty: false, stdin: false });
  await assert.rejects(async () => (await absent).exitCode, /no-such/);
});

/** A web server in the container: the program is the machine's, its libraries are the image's. */
const webServer: PodSpec = {
  volumes: [{ name: 'node', hostPath: { path: process.execPath, type: 'File' } }],
  containers: [
    {
      name: 'main',
      image: toolsImage,
      command: ['/node', '-e'],
      args: ["require('http').createServer((q, s) => s.end('at ' + q.url)).listen(8080)"],
      ports: [{ name: 'web', containerPort: 8080 }],
      readinessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: 1 },
      livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
      volumeMounts: [{ name: 'node', mountPath: '/node', readOnly: true }],
    },
  ],
};

const isReady = (worker: PodWorker): boolean =>
  worker.status().containerStatuses[0]?.ready === true;

test('a server is probed and reached at an address of the node', { skip }, async () => {
  await using node = fixture();
  const worker = await node.run(aPod('web', webServer));
  await node.until(() => isReady(worker));
  assert.match(worker.podIp, /^10\.2\d\d\.7\.\d+$/);
  const { runtime, pod, folder } = worker;
  const tunnel = await runtime.dial({ pod, folder }, 8080);
  tunnel.write('GET /tunnel HTTP/1.0\r\n\r\n');
  assert.match(await text(tunnel), /at \/tunnel$/);
  const usage = await runtime.usage(worker.place('main', 0));
  assert.ok((usage?.memoryBytes ?? 0) > 1024 * 1024);
});

test('limits are those of cgroups, and memory above its limit is the end', { skip }, async () => {
  await using node = fixture();
  const script = 'x=; i=0; while :; do x="$x$x-------------------------------"; done';
  const resources = { limits: { memory: '16Mi', cpu: '500m' } };
  const worker = await node.run(
    aPod('greedy', {
      restartPolicy: 'Never',
      containers: [{ name: 'main', ...shell(script), resources }],
    }),
  );
  await node.until(() => node.finished.has('greedy'));
  assert.equal(terminated(worker)['reason'], 'OOMKilled');
});

test('the log is followed to its end, and over its change of file', { skip }, async () => {
  await using node = fixture();
  const script = 'n=0; while [ $n -lt 3 ]; do echo line $n; n=$((n+1)); sleep 0.3; done';
  const worker = await node.run(aPod('lines', once(script)));
  await node.until(() => isRunning(worker));
  assert.equal(await node.logOf(worker, 'main', { follow: true }), 'line 0\nline 1\nline 2\n');
  assert.equal(await node.logOf(worker, 'main', { tailLines: 1 }), 'line 2\n');
});

test(
  'a stop is a signal, then time, then the end; what ended by itself runs again',
  { skip },
  async () => {
    await using node = fixture();
    const polite = await node.run(
      aPod('polite', once('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.1; done')),
    );
    const deaf = await node.run(
      aPod('deaf', once('trap "" TERM; echo up; while :; do sleep 0.1; done')),
    );
    const again = await node.run(
      aPod('again', { containers: [{ name: 'main', ...shell('exit 1') }] }),
    );
    await node.until(() => isRunning(polite) && isRunning(deaf));
    // Both have set their traps.
    for (const one of [polite, deaf]) {
      assert.equal(await node.logOf(one, 'main', { follow: true, limitBytes: 3 }), 'up\n');
    }
    const why = { kind: 'kill', reason: 'Test', message: '' } as const;
    polite.input({ ...why, graceMs: 20_000 });
    deaf.input({ ...why, graceMs: 500 });
    await node.until(() => polite.isFinished && deaf.isFinished);
    assert.match(await node.logOf(polite, 'main'), /bye/);
    assert.equal(terminated(polite)['exitCode'], 0);
    assert.equal(terminated(deaf)['exitCode'], 137);
    await node.until(() => (again.status().containerStatuses[0]?.restartCount ?? 0) >= 1);
  },
);

test(
  'a pod outlives its executor and its containerd; neither starts it twice',
  { skip },
  async () => {
    await using node = fixture();
    const pod = aPod('stays', {
      containers: [{ name: 'main', ...shell('echo start; exec sleep 1000') }],
    });
    const first = await node.run(pod);
    await node.until(() => isRunning(first));
    const [before] = first.status().containerStatuses;
    await node.restart();
    await containerd.restart();
    const second = await node.run(pod);
    await node.until(() => isRunning(second));
    const [now] = second.status().containerStatuses;
    assert.equal(now?.['containerID'], before?.['containerID']);
    assert.equal(now?.restartCount, 0);
    assert.equal(await node.logOf(second, 'main'), 'start\n');
    // Asked to end while containerd is away, it ends when that is back.
    containerd.halt();
    second.input({ kind: 'kill', graceMs: 0, reason: 'Test', message: '' });
    await containerd.restart();
    await node.until(() => second.isFinished);
  },
);

test(
  'an image that is not there, and a command that is not in it, are told',
  { skip },
  async () => {
    await using node = fixture();
    const absent = { name: 'main', image: 'example.test/absent:1', imagePullPolicy: 'Never' };
    const one = await node.run(aPod('absent', { containers: [absent] }));
    await node.until(() => node.events.some(({ reason }) => reason === 'Failed'));
    const state = one.status().containerStatuses[0]?.state as { waiting: Record<string, string> };
    assert.equal(state.waiting['reason'], 'ErrImageNeverPull');
    const two = await node.run(
      aPod('wrong', {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: toolsImage, command: ['no-such'] }],
      }),
    );
    await node.until(() => node.finished.has('wrong'));
    assert.equal(terminated(two)['exitCode'], 128);
    assert.match(String(terminated(two)['message']), /no-such/);
  },
);

test('a pod on the network of the machine has its address', { skip }, async () => {
  await using node = fixture();
  const worker = await node.run(
    aPod('onhost', { ...once('hostname; exec sleep 100'), hostNetwork: true }),
  );
  await node.until(() => isRunning(worker));
  assert.equal(worker.podIp, '127.0.0.1');
});
