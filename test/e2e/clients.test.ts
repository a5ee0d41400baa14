// Unmodified public clients against one whole cluster: kubectl, helm, client-node, pymesos; two
// Kubernetes instances and a Mesos framework side by side on the same agents.
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { networkNames } from '#kube/node/pod-network.ts';
import { Cluster, eventually, root, run, type Result } from '#test/support/cluster.ts';
import { signed, type SignedRequest } from '#test/support/pod-certificate-signer.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import { findPymesos } from '#test/support/pymesos.ts';

let cluster: Cluster;
let tools: string;

before(async () => {
  tools = await kubectlFolder();
  cluster = await Cluster.start(['--agents', '2']);
});
after(() => cluster?.stop());

function kubectl(args: readonly string[], input?: string, instance?: string): Promise<Result> {
  return run([join(tools, 'kubectl'), ...args], {
    env: { KUBECONFIG: cluster.kubeconfig(instance), HOME: cluster.home },
    ...(input === undefined ? {} : { input }),
  });
}

async function ok(args: readonly string[], input?: string, instance?: string): Promise<string> {
  const { status, stdout, stderr } = await kubectl(args, input, instance);
  assert.equal(status, 0, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout + stderr;
}

function helm(...args: readonly string[]): Promise<Result> {
  const env = { KUBECONFIG: cluster.kubeconfig(), HOME: cluster.home };
  return run([join(tools, 'helm'), ...args], { env });
}

const server =
  "require('http').createServer((q, s) => { console.log(q.url); s.end('hello') }).listen(8080)";

test('kubectl: a web server is rolled out, updated without a gap, and rolled back', async () => {
  await ok([
    'create',
    'deployment',
    'web',
    '--image=host',
    '--replicas=3',
    '--',
    'node',
    '-e',
    server,
  ]);
  assert.match(await ok(['rollout', 'status', 'deployment/web', '--timeout=60s']), /successfully/);
  let least = Number.POSITIVE_INFINITY;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const text = await ok([
        'get',
        'deployment',
        'web',
        '-o',
        'jsonpath={.status.availableReplicas}',
      ]);
      least = Math.min(least, Number(text));
    }
  })();
  await ok(['set', 'env', 'deployment/web', 'COLOUR=blue']);
  await ok(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  isOver = true;
  await watching;
  assert.ok(least >= 3, `available fell to ${least}`);
  const colour = ['exec', 'deployment/web', '--', 'sh', '-c', 'echo colour=$COLOUR'];
  assert.match(await ok(colour), /colour=blue/);
  await ok(['rollout', 'undo', 'deployment/web']);
  await ok(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  assert.match(await ok(colour), /colour=$/m);
  await ok(['scale', 'deployment/web', '--replicas=2']);
  await ok(['wait', '--for=jsonpath={.status.replicas}=2', 'deployment/web', '--timeout=30s']);
});

test('kubectl: port-forward, logs -f, exec with a terminal, cp, describe, events', async () => {
  // One of those that stay: what the scaling down has taken away may still be there.
  const staying =
    '{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}';
  const names = await ok(['get', 'pods', '-l', 'app=web', '-o', `go-template=${staying}`]);
  const [pod = ''] = names.split(' ');
  const name = `pod/${pod}`;
  const env = { KUBECONFIG: cluster.kubeconfig(), HOME: cluster.home };
  const follow = cluster.background([join(tools, 'kubectl'), 'logs', '-f', name], env);
  const logged = new Promise<void>((done) => {
    follow.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('/through-the-tunnel')) done();
    });
  });
  // The server in the pod may take a moment to listen, and kubectl's tunnel ends with a refused connection.
  const answer = await eventually('an answer through the tunnel', async () => {
    const command = [join(tools, 'kubectl'), 'port-forward', name, ':8080'];
    const forward = cluster.background(command, env);
    try {
      const port = await new Promise<string>((done, fail) => {
        forward.once('exit', () => fail(new Error('kubectl port-forward ended')));
        forward.stdout?.on('data', (chunk: Buffer) => {
          const found = /127\.0\.0\.1:(\d+)/.exec(chunk.toString())?.[1];
          if (found !== undefined) done(found);
        });
      });
      const response = await fetch(`http://127.0.0.1:${port}/through-the-tunnel`);
      return await response.text();
    } finally {
      forward.kill();
    }
  });
  assert.equal(answer, 'hello');
  await logged;
  const terminal = [
    'script',
    '-qec',
    `${tools}/kubectl exec -it ${pod} -- sh -c 'tty; stty size'`,
    '/dev/null',
  ];
  const shown = await run(terminal, { env });
  assert.match(shown.stdout, /\/dev\/pts\/\d+/);
  const file = join(cluster.home, 'copied');
  writeFileSync(file, 'copied text');
  await ok(['cp', file, `${pod}:${cluster.home}/arrived`]);
  assert.equal(await ok(['exec', pod, '--', 'cat', `${cluster.home}/arrived`]), 'copied text');
  assert.match(await ok(['describe', 'pod', pod]), /Successfully assigned default\//);
  const kernel = 'jsonpath={.items[0].status.nodeInfo.kernelVersion}';
  assert.equal(await ok(['get', 'nodes', '-o', kernel]), release());
  assert.match(await ok(['get', 'events']), /ScalingReplicaSet/);
  const failed = await kubectl(['exec', pod, '--', 'sh', '-c', 'exit 7']);
  assert.equal(failed.status, 7);
});

test('kubectl: apply on both sides, diff, explain, wait, and errors in the words of the API', async () => {
  const map = (value: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm' },
      data: { a: value },
    });
  await ok(['apply', '--server-side', '-f', '-'], map('1'));
  const difference = await kubectl(['diff', '--server-side', '-f', '-'], map('2'));
  assert.equal(difference.status, 1);
  assert.match(difference.stdout, /\+ {2}a: "2"/);
  const other = await kubectl(['apply', '--server-side', '--field-manager=x', '-f', '-'], map('3'));
  assert.match(other.stderr, /conflict with "kubectl"/);
  await ok(
    ['apply', '--server-side', '--field-manager=x', '--force-conflicts', '-f', '-'],
    map('3'),
  );
  assert.match(await ok(['explain', 'deployment.spec.strategy']), /rollingUpdate/);
  await ok(['wait', '--for=condition=Available', 'deployment/web', '--timeout=30s']);
  const bad = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'UP' },
    spec: { containers: [] },
  });
  const refused = await kubectl(['create', '-f', '-'], bad);
  assert.match(refused.stderr, /The Pod "UP" is invalid/);
  assert.match(refused.stderr, /spec\.containers: Required value/);
  const strict = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 's' },
    dat: {},
  });
  assert.match((await kubectl(['create', '-f', '-'], strict)).stderr, /unknown field "dat"/);
});

test('helm: install, upgrade, rollback, uninstall', async () => {
  const chart = join(root, 'test/support/chart');
  const wait = ['--wait', '--timeout', '60s'];
  const installed = await helm('install', 'hello', chart, ...wait);
  assert.equal(installed.status, 0, installed.stderr);
  assert.equal((await helm('upgrade', 'hello', chart, '--set', 'message=bye', ...wait)).status, 0);
  assert.match(await ok(['get', 'configmap', 'hello', '-o', 'jsonpath={.data.message}']), /bye/);
  assert.equal((await helm('rollback', 'hello', '1', ...wait)).status, 0);
  assert.match(await ok(['get', 'configmap', 'hello', '-o', 'jsonpath={.data.message}']), /hello/);
  assert.equal((await helm('uninstall', 'hello', '--wait')).status, 0);
});

test('custom resources: defined, established, checked, listed, deleted', async () => {
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { size: { type: 'integer', minimum: 1 } } } },
  };
  const columns = [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }];
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          additionalPrinterColumns: columns,
        },
      ],
    },
  };
  await ok(['create', '-f', '-'], JSON.stringify(definition));
  await ok(['wait', '--for=condition=Established', 'crd/widgets.example.com', '--timeout=10s']);
  const widget = (size: number): string =>
    JSON.stringify({
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: 'w' },
      spec: { size },
    });
  assert.match(
    (await kubectl(['create', '-f', '-'], widget(0))).stderr,
    /greater than or equal to 1/,
  );
  await ok(['create', '-f', '-'], widget(3));
  assert.match(await ok(['get', 'widgets']), /SIZE\s+w\s+3/);
  await ok(['delete', 'crd', 'widgets.example.com']);
});

test('a pod has a certificate from its signer, and the key that belongs to it', async () => {
  const signerName = 'signer.example.com/e2e';
  const podCertificate = { signerName, keyType: 'ECDSAP256', credentialBundlePath: 'bundle.pem' };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'certified' },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'main',
          image: 'host',
          command: ['cat', '/run/own/bundle.pem'],
          volumeMounts: [{ name: 'own', mountPath: '/run/own' }],
        },
      ],
      volumes: [{ name: 'own', projected: { sources: [{ podCertificate }] } }],
    },
  };
  await ok(['create', '-f', '-'], JSON.stringify(pod));
  const [request] = await eventually('the node asks for a certificate', async () => {
    const { items } = JSON.parse(await ok(['get', 'podcertificaterequests', '-o', 'json'])) as {
      items: SignedRequest[];
    };
    return items.length > 0 ? items : undefined;
  });
  assert.ok(request !== undefined);
  assert.equal(request.spec.podName, 'certified');
  const patch = JSON.stringify({ status: await signed(request) });
  const where = ['podcertificaterequest', request.metadata.name, '--subresource=status'];
  await ok(['patch', ...where, '--type=merge', '-p', patch]);
  const phase = ['--for=jsonpath={.status.phase}=Succeeded', 'pod/certified', '--timeout=60s'];
  await ok(['wait', ...phase]);
  const bundle = await ok(['logs', 'certified']);
  const certificate = new X509Certificate(bundle.slice(bundle.indexOf('-----BEGIN CERT')));
  assert.equal(certificate.subject, 'CN=certified');
  assert.ok(certificate.checkPrivateKey(createPrivateKey(bundle)));
  await ok(['delete', 'pod', 'certified']);
});

test('client-node: an informer sees objects come, change and go', async () => {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig());
  const api = config.makeApiClient(CoreV1Api);
  const list = () => api.listNamespacedConfigMap({ namespace: 'default' });
  const informer = makeInformer(config, '/api/v1/namespaces/default/configmaps', list);
  const seen: string[] = [];
  for (const event of ['add', 'update', 'delete'] as const) {
    informer.on(event, (object) => {
      if (object.metadata?.name === 'seen') seen.push(event);
    });
  }
  informer.on('error', () => {});
  await informer.start();
  await ok(['create', 'configmap', 'seen', '--from-literal=a=1']);
  await ok(['label', 'configmap', 'seen', 'x=y']);
  await ok(['delete', 'configmap', 'seen']);
  await eventually('all three events', async () => (seen.length >= 3 ? true : undefined));
  await informer.stop();
  assert.deepEqual(seen, ['add', 'update', 'delete']);
});

test('pymesos: 200 short tasks beside two Kubernetes instances, everything accounted for', async (t) => {
  const created = await cluster.strata(['kube', 'create', 'team-b']);
  assert.equal(created.status, 0, created.stderr);
  await ok(
    ['create', 'deployment', 'other', '--image=host', '--', 'sleep', '1000'],
    undefined,
    'team-b',
  );
  await ok(['rollout', 'status', 'deployment/other', '--timeout=60s'], undefined, 'team-b');
  assert.doesNotMatch(await ok(['get', 'pods', '-A'], undefined, 'team-b'), /web-/);
  assert.doesNotMatch(await ok(['get', 'pods', '-A']), /other-/);
  const pymesos = await findPymesos();
  if (!pymesos.ok) return t.skip(pymesos.reason);
  const script = join(root, 'test/support/python/short_tasks.py');
  const finished = run([pymesos.python, script, cluster.master, '200', 'sleep 0.1'], {
    timeoutMs: 180_000,
  });
  const three = await eventually('three frameworks', async () => {
    const state = await cluster.masterState();
    return state.frameworks.length === 3 ? state : undefined;
  });
  for (const name of ['cpus', 'mem'] as const) {
    const of = (
      all: readonly { used_resources: Readonly<Record<string, number | string>> }[],
    ): number => all.reduce((sum, one) => sum + Number(one.used_resources[name] ?? 0), 0);
    assert.ok(Math.abs(of(three.frameworks) - of(three.slaves)) < 0.001, `${name} do not add up`);
  }
  const { status, stdout, stderr } = await finished;
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /finished 200 of 200/);
});

test('strata run: output is streamed and the exit status returned; status tells what runs', async () => {
  const task = await run([
    join(root, 'strata'),
    'run',
    '--master',
    cluster.master,
    '--',
    'sh',
    '-c',
    'echo out; exit 3',
  ]);
  assert.equal(task.status, 3);
  assert.match(task.stdout, /^out$/m);
  const status = await cluster.strata(['status', '-o', 'json']);
  const found = JSON.parse(status.stdout) as {
    agents: { state: string }[];
    instances: { name: string; ready: boolean }[];
  };
  assert.deepEqual(
    found.agents.map(({ state }) => state),
    ['active', 'active'],
  );
  assert.deepEqual(
    found.instances.map(({ name, ready }) => [name, ready]),
    [
      ['default', true],
      ['team-b', true],
    ],
  );
});

test(
  'down leaves no network of pods behind',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async () => {
    const ca = readFileSync(join(cluster.home, 'kube/default/pki/ca.crt'), 'utf8');
    const bridges = ['node-1', 'node-2'].map(
      (nodeName) => `/sys/class/net/${networkNames({ cluster: ca, nodeName }).bridge}`,
    );
    assert.ok(bridges.some(existsSync), 'pods have had a network');
    assert.equal((await cluster.strata(['down'])).status, 0);
    assert.deepEqual(bridges.filter(existsSync), []);
  },
);
