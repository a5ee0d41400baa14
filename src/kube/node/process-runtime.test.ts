// Pods as real processes: life, logs, volumes, exec, restarts of the executor.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { NodeFixture, aPod } from './worker-fixture.test.ts';

const isRoot = process.getuid?.() === 0;

for (const privileged of isRoot ? [true, false] : [false]) {
  const who = privileged ? 'as root' : 'as a plain user';

  test(`PodWorker runs a pod to its end ${who}`, async () => {
    await using node = new NodeFixture({ privileged });
    const pod = aPod('once', {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'main',
          image: 'host',
          command: ['sh', '-c', 'echo hello $NAME; echo oops >&2; exit 3'],
          env: [
            { name: 'FIRST', value: 'big' },
            { name: 'NAME', value: '$(FIRST) world' },
          ],
        },
      ],
    });
    const worker = await node.run(pod);
    await node.until(() => node.finished.has('once'));
    assert.equal(node.finished.get('once'), 'Failed');
    const status = worker.status();
    assert.equal(status.phase, 'Failed');
    const state = status.containerStatuses[0]?.state as { terminated: Record<string, unknown> };
    assert.equal(state.terminated['exitCode'], 3);
    assert.equal(state.terminated['reason'], 'Error');
    const lines = (await node.logOf(worker, 'main')).split('\n');
    assert.deepEqual(lines.toSorted(), ['', 'hello big world', 'oops']);
    assert.match(
      await node.logOf(worker, 'main', { timestamps: true, stream: 'stderr' }),
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z oops\n$/,
    );
    assert.deepEqual(
      node.events.map(({ reason }) => reason),
      ['Pulled', 'Created', 'Started'],
    );
  });

  test(`PodWorker gives containers their volumes ${who}`, async () => {
    await using node = new NodeFixture({ privileged });
    node.objects.set('configmap/default/settings', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { color: 'blue' },
    });
    const where = privileged ? '/tmp/strata-test-mount' : './tmp/strata-test-mount';
    const script = `cat ${where}/color; echo; cat $STRATA_VOLUME_TOKEN/token; echo $POD_NAME`;
    const pod = aPod('vols', {
      restartPolicy: 'Never',
      serviceAccountName: 'robot',
      volumes: [
        { name: 'conf', configMap: { name: 'settings' } },
        { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
      ],
      containers: [
        {
          name: 'main',
          command: ['sh', '-c', script],
          env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          volumeMounts: [
            { name: 'conf', mountPath: '/tmp/strata-test-mount' },
            { name: 'token', mountPath: '/tmp/strata-test-token' },
          ],
        },
      ],
    });
    const worker = await node.run(pod);
    await node.until(() => node.finished.has('vols'));
    assert.equal(await node.logOf(worker, 'main'), 'blue\ntoken-of-robotvols\n');
  });

  test(`PodWorker adopts what a former executor started ${who}`, async () => {
    await using node = new NodeFixture({ privileged });
    const pod = aPod('stays', {
      containers: [
        {
          name: 'main',
          command: ['sh', '-c', 'trap "exit 0" TERM; echo up; while :; do sleep 0.1; done'],
        },
      ],
    });
    const former = await node.run(pod);
    await node.until(() => node.statusOf('stays')?.phase === 'Running');
    await node.logOf(former, 'main', { follow: true, limitBytes: 3 });
    const before = node.statusOf('stays')?.containerStatuses[0];
    await node.restart();
    const worker = await node.run(pod);
    const after = worker.status().containerStatuses[0];
    assert.deepEqual(after, before);
    assert.equal((await node.logOf(worker, 'main')).match(/up/g)?.length, 1);
    const metadata = { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 5 };
    worker.update({ ...pod, metadata });
    await node.until(() => node.finished.has('stays'));
    assert.equal(node.finished.get('stays'), 'Succeeded');
  });

  test(`PodWorker restarts what crashes and says what cannot start ${who}`, async () => {
    await using node = new NodeFixture({ privileged });
    const pod = aPod('bad', {
      containers: [
        { name: 'crash', command: ['sh', '-c', 'echo try; exit 1'] },
        { name: 'absent', command: ['no-such-program'] },
        { name: 'image', image: 'nginx' },
        { name: 'pause', image: 'registry.example/pause:3.10' },
      ],
    });
    const worker = await node.run(pod);
    const reasonOf = (index: number): unknown => {
      const state = worker.status().containerStatuses[index]?.state;
      return (state?.['waiting'] as { reason?: unknown } | undefined)?.reason;
    };
    await node.until(
      () => reasonOf(0) === 'CrashLoopBackOff' && reasonOf(1) === 'CrashLoopBackOff',
    );
    assert.equal(worker.status().containerStatuses[0]?.restartCount, 1);
    assert.equal(reasonOf(2), 'CreateContainerError');
    assert.ok(worker.status().containerStatuses[3]?.state?.['running'] !== undefined);
    // Events follow the status that they tell of.
    const backOff = 'Back-off restarting failed container crash';
    await node.until(() => node.events.some(({ message }) => message.startsWith(backOff)));
    const messages = node.events.map(({ message }) => message).join('\n');
    assert.match(messages, /"no-such-program": executable file not found in \$PATH/);
    assert.match(messages, /has to be run by a container runtime/);
    assert.match(messages, /Back-off restarting failed container crash in pod bad_default/);
  });

  test(`PodWorker executes commands in a container ${who}`, async () => {
    await using node = new NodeFixture({ privileged });
    const pod = aPod('shell', {
      containers: [
        { name: 'main', command: ['sleep', '60'], env: [{ name: 'COLOR', value: 'red' }] },
      ],
    });
    const worker = await node.run(pod);
    await node.until(() => node.statusOf('shell')?.phase === 'Running');
    const place = worker.place('main', 0);
    const session = await node.runtime.exec(place, {
      command: ['sh', '-c', 'read line; echo $COLOR $line; exit 7'],
      tty: false,
      stdin: true,
    });
    session.stdin?.end('typed\n');
    const output = text(session.stdout);
    assert.equal(await session.exitCode, 7);
    assert.equal(await output, 'red typed\n');
    const terminal = await node.runtime.exec(place, { command: ['tty'], tty: true, stdin: true });
    const seen = text(terminal.stdout);
    assert.equal(await terminal.exitCode, 0);
    assert.match(await seen, /\/dev\/pts\//);
  });
}

test('PodWorker gives pods their own network', { skip: !isRoot && 'needs root' }, async () => {
  await using node = new NodeFixture({ privileged: true, podCidr: '10.199.57.0/24' });
  const script = `require('http').createServer((q,s)=>s.end(process.env.WHO)).listen(8080)`;
  const aServer = (who: string) =>
    aPod(who, {
      containers: [
        {
          name: 'main',
          command: [process.execPath, '-e', script],
          env: [{ name: 'WHO', value: who }],
          readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
        },
      ],
    });
  const first = await node.run(aServer('one'));
  const second = await node.run(aServer('two'));
  const isReady = (name: string): boolean =>
    node.statusOf(name)?.containerStatuses[0]?.ready === true;
  await node.until(() => isReady('one') && isReady('two'));
  assert.notEqual(first.podIp, second.podIp);
  for (const [worker, who] of [
    [first, 'one'],
    [second, 'two'],
  ] as const) {
    const answer = await fetch(`http://${worker.podIp}:8080/`);
    assert.equal(await answer.text(), who);
  }
});
