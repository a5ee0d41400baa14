// A kubelet of Kubernetes v1.37 registers with our API server as the node that its certificate names, keeps its
// lease, and runs a pod on containerd: the Node authorizer and NodeRestriction let it do that and no more.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { eventually } from '#test/support/cluster.ts';
import { findContainerd, toolsImage } from '#test/support/containerd.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown>;

const NODE = 'real-node';
const WAIT_MS = 120_000;

/** A kubelet takes no loopback address for its node's. Nobody is asked for anything there. */
function nodeAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return all.find(({ family, address }) => family === 'IPv4' && !address.startsWith('127.'))
    ?.address;
}

const containerd = findContainerd();
const skip =
  skipWithout(['kubelet']) ||
  (!containerd.ok && containerd.reason) ||
  (nodeAddress() === undefined && 'this machine has only loopback addresses');

interface Kubeconfig {
  readonly users: readonly { readonly name: string }[];
}

/** A kubeconfig of the node, and what the kubelet is told beside it. */
async function configure(folder: string, own: OwnServer, socket: string): Promise<string[]> {
  const identity = { commonName: `system:node:${NODE}`, organizations: ['system:nodes'] };
  const pair = await own.server.authority.issueClient(identity, Date.now());
  const admin = parse(readFileSync(join(own.home, 'kubeconfig'), 'utf8')) as Kubeconfig;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const user = {
    'client-certificate-data': base64(pair.cert),
    'client-key-data': base64(pair.key),
  };
  const kubeconfig = { ...admin, users: admin.users.map(({ name }) => ({ name, user })) };
  const config = {
    kind: 'KubeletConfiguration',
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    address: '127.0.0.1',
    port: 21_250,
    readOnlyPort: 0,
    healthzPort: 0,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
    authorization: { mode: 'Webhook' },
    evictionHard: { 'memory.available': '10Mi', 'nodefs.available': '1%' },
    nodeStatusUpdateFrequency: '1s',
    podLogsDir: join(folder, 'logs'),
    volumePluginDir: join(folder, 'plugins'),
  };
  const [who, what] = [join(folder, 'kubeconfig'), join(folder, 'kubelet.json')];
  writeFileSync(who, JSON.stringify(kubeconfig));
  writeFileSync(what, JSON.stringify(config));
  return [
    `--kubeconfig=${who}`,
    `--config=${what}`,
    `--root-dir=${join(folder, 'root')}`,
    `--hostname-override=${NODE}`,
    `--node-ip=${nodeAddress() ?? ''}`,
  ];
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await over;
}

const pod = {
  metadata: { name: 'real' },
  spec: {
    nodeName: NODE,
    hostNetwork: true,
    automountServiceAccountToken: false,
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: 'main',
        image: toolsImage,
        imagePullPolicy: 'Never',
        command: ['sh', '-c', 'test "$WHO" = kubelet && exit 7'],
        env: [{ name: 'WHO', value: 'kubelet' }],
      },
      { name: 'stays', image: toolsImage, imagePullPolicy: 'Never', command: ['sleep', '600'] },
    ],
  },
};

test('a real kubelet registers and runs a pod', { skip, timeout: 300_000 }, async () => {
  assert.ok(containerd.ok);
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-kubelet-'));
  const own = await startOwnServer();
  const runtime = await containerd.start();
  let kubelet: ChildProcess | undefined;
  const ask = async (method: string, path: string, body?: Json): Promise<Json> =>
    (await sendStep(own.target, { name: path, method, path, body })).body as Json;
  const pods = '/api/v1/namespaces/default/pods';
  try {
    mkdirSync(join(folder, 'root'));
    const log = openSync(join(folder, 'log'), 'w');
    const args = await configure(folder, own, runtime.socket);
    kubelet = spawn(realProgram('kubelet'), args, { stdio: ['ignore', log, log] });
    const node = await eventually(
      'the node',
      async () => {
        const found = await ask('GET', `/api/v1/nodes/${NODE}`);
        const status = found['status'] as { nodeInfo?: Json; capacity?: Json } | undefined;
        return status?.capacity?.['cpu'] === undefined ? undefined : status;
      },
      WAIT_MS,
    );
    assert.equal(node.nodeInfo?.['kubeletVersion'], 'v1.37.2');
    await eventually(
      'its lease',
      async () => {
        const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${NODE}`;
        const { spec } = (await ask('GET', path)) as { spec?: Json };
        return spec?.['holderIdentity'] === NODE ? true : undefined;
      },
      WAIT_MS,
    );
    await ask('POST', '/api/v1/namespaces/default/serviceaccounts', {
      metadata: { name: 'default' },
    });
    const made = await ask('POST', pods, pod);
    assert.equal(made['kind'], 'Pod', JSON.stringify(made));
    const states = await eventually(
      'both containers',
      async () => {
        const { status } = (await ask('GET', `${pods}/real`)) as { status: Json };
        const all = (status['containerStatuses'] ?? []) as { name: string; state: Json }[];
        const of = (name: string): Json => all.find((one) => one.name === name)?.state ?? {};
        const [main, stays] = [of('main')['terminated'], of('stays')['running']];
        return main !== undefined && stays !== undefined ? { main: main as Json } : undefined;
      },
      WAIT_MS,
    );
    assert.equal(states.main['exitCode'], 7);
    await ask('DELETE', `${pods}/real`);
    await eventually(
      'the end of the pod',
      async () => ((await ask('GET', `${pods}/real`))['kind'] === 'Status' ? true : undefined),
      WAIT_MS,
    );
  } catch (error) {
    const tail = readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(-15).join('\n');
    throw new Error(`the kubelet says: ${tail}`, { cause: error });
  } finally {
    await ended(kubelet);
    // It mounts its folder upon itself, so that what it mounts there is shared.
    spawnSync('umount', ['--recursive', join(folder, 'root')]);
    await runtime.stop();
    await own.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
