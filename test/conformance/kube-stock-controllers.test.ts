// kube-controller-manager and kube-scheduler v1.37 themselves run on our API server: they make, place,
// count and clean up what they are there for. The kubelet's part is played.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { createEnv } from '#env/node/env.ts';
import { startApiServer, type ApiServer } from '#kube/apiserver/server.ts';
import { componentConfig } from '#test/support/component-config.ts';
import { KubeClient } from '#kube/client/client.ts';
import * as known from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { eventually } from '#test/support/cluster.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';

const programs = ['kube-controller-manager', 'kube-scheduler'];
const skip = skipWithout(programs);

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const WAIT_MS = 120_000;
const namespace = 'stock';

suite('stock controllers and scheduler', { skip }, () => {
  const home = mkdtempSync(join(tmpdir(), 'strata-test-stock-'));
  const children: ChildProcess[] = [];
  let server: ApiServer;
  let client: KubeClient;

  async function start(program: string, args: readonly string[]): Promise<void> {
    const path = join(home, `${program}.kubeconfig`);
    writeFileSync(path, JSON.stringify(await componentConfig(server, `system:${program}`)));
    const log = openSync(join(home, `${program}.log`), 'w');
    const flags = [`--kubeconfig=${path}`, '--leader-elect=true', '--bind-address=127.0.0.1'];
    const command = realProgram(program);
    const options = { stdio: ['ignore', log, log] as ('ignore' | number)[] };
    children.push(spawn(command, [...flags, '--secure-port=0', ...args], options));
  }

  const logs = (): string =>
    programs
      .map((one) => join(home, `${one}.log`))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'utf8').split('\n').slice(-15).join('\n'))
      .join('\n');

  async function found<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    return await eventually(what, look, WAIT_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${logs()}`, { cause: error });
    });
  }

  before(async () => {
    mkdirSync(home, { recursive: true });
    server = await startApiServer(
      {
        instance: 'default',
        home,
        listen: { host: '127.0.0.1', port: 0 },
        store: new MemoryStore(),
        registry: new TypeRegistry(),
        serviceCidr: '10.96.0.0/16',
      },
      env,
    );
    const config = parse(readFileSync(join(home, 'kubeconfig'), 'utf8')) as object;
    client = KubeClient.fromKubeconfig(config);
    await start('kube-controller-manager', [
      `--service-account-private-key-file=${join(home, 'pki/service-account.key')}`,
      `--root-ca-file=${join(home, 'pki/ca.crt')}`,
      `--cluster-signing-cert-file=${join(home, 'pki/ca.crt')}`,
      `--cluster-signing-key-file=${join(home, 'pki/ca.key')}`,
      '--use-service-account-credentials=true',
    ]);
    await start('kube-scheduler', []);
    const made = await client.create(known.nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node-a', labels: { 'kubernetes.io/hostname': 'node-a' } },
    });
    const capacity = { cpu: '4', memory: '8Gi', pods: '110' };
    const lastTransitionTime = new Date().toISOString();
    const ready = { type: 'Ready', status: 'True', reason: 'Played', lastTransitionTime };
    const status = { ...made['status'], capacity, allocatable: capacity, conditions: [ready] };
    await client.updateStatus(known.nodes, { ...made, status });
  });

  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await client?.close();
    await server?.close();
    rmSync(home, { recursive: true, force: true });
  });

  test('a namespace gets its account and the root certificate', async () => {
    await client.create(known.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
    await found('the default account', async () => {
      const { items } = await client.list(known.serviceAccounts, { namespace });
      return items.find((one) => one.metadata.name === 'default');
    });
    await found('the root certificate', async () => {
      const { items } = await client.list(known.configMaps, { namespace });
      return items.find((one) => one.metadata.name === 'kube-root-ca.crt');
    });
  });

  test('a deployment becomes pods on the node, is counted, and is served', async () => {
    const labels = { app: 'web' };
    await client.create(
      known.deployments,
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace },
        spec: {
          replicas: 3,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'c', image: 'host' }] },
          },
        },
      },
      { namespace },
    );
    await client.create(
      known.services,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace },
        spec: { selector: labels, ports: [{ port: 80 }] },
      },
      { namespace },
    );
    const pods = await found('three bound pods', async () => {
      const { items } = await client.list(known.pods, { namespace });
      const bound = items.filter((pod) => pod['spec'].nodeName === 'node-a');
      return bound.length === 3 ? bound : undefined;
    });
    for (const [index, pod] of pods.entries()) await play(pod, `10.1.0.${index + 1}`);
    await found('three available replicas', async () => {
      const one = await client.get(known.deployments, { namespace, name: 'web' });
      return one['status']?.availableReplicas === 3 ? one : undefined;
    });
    const addresses = await found('three addresses in slices', async () => {
      const { items } = await client.list(known.endpointSlices, { namespace });
      const all = items.flatMap((slice) =>
        ((slice['endpoints'] ?? []) as { addresses: string[] }[]).flatMap((one) => one.addresses),
      );
      return all.length === 3 ? all : undefined;
    });
    assert.deepEqual(addresses.toSorted(), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  });

  async function play(pod: KubeObject, podIP: string): Promise<void> {
    const lastTransitionTime = new Date().toISOString();
    const ready = { type: 'Ready', status: 'True', lastTransitionTime };
    const status = { ...pod['status'], phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
    const conditions = [...(status['conditions'] ?? []), ready];
    await client.updateStatus(known.pods, { ...pod, status: { ...status, conditions } });
  }

  test('what is deleted takes with it what it owns, and a namespace everything', async () => {
    await client.delete(known.deployments, { namespace, name: 'web' });
    await found('only pods that are going', async () => {
      const { items } = await client.list(known.pods, { namespace });
      const isGoing = items.every((pod) => pod.metadata.deletionTimestamp !== undefined);
      return isGoing ? true : undefined;
    });
    const { items } = await client.list(known.pods, { namespace });
    for (const { metadata } of items) {
      const place = { namespace, name: metadata.name ?? '' };
      await client.delete(known.pods, place, { gracePeriodSeconds: 0 });
    }
    await client.delete(known.namespaces, { name: namespace });
    await found('no namespace', async () => {
      const all = await client.list(known.namespaces);
      return all.items.some((one) => one.metadata.name === namespace) ? undefined : true;
    });
  });
});
