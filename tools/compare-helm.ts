// Lets helm do the same with upstream's servers and with ours, and compares what it says and what is there afterwards:
// `node tools/compare-helm.ts BIN`. BIN has helm, etcd, kube-apiserver and kube-controller-manager. Both sides have
// nodes with nobody behind them (test/support/hollow-nodes.ts), the chart is test/support/helm-shop. Prints each step
// and what differs after it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient } from '#kube/client/client.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { Authority } from '#kube/pki/authority.ts';
import { keepHollowNodes } from '#test/support/hollow-nodes.ts';
import { plainValue } from '#test/support/plain-value.ts';
import {
  ADMIN_TOKEN,
  adminOf,
  startOwnCluster,
  startRealCluster,
  type Cluster,
} from '#test/support/whole-clusters.ts';

const chart = join(import.meta.dirname, '../test/support/helm-shop');
const SPACE = 'shop';
const missing = 'image=registry.example.com/missing:1';
const fails = 'registry.example.com/fails:1';

interface Step {
  readonly name: string;
  /** What helm is told. */
  readonly helm?: readonly string[];
  /** What somebody else does in between. */
  readonly by?: (client: KubeClient) => Promise<unknown>;
}

const core = (resource: string): GroupVersionResource => ({ group: '', version: 'v1', resource });
const of = (group: string, resource: string): GroupVersionResource => ({
  group,
  version: 'v1',
  resource,
});

const compared: readonly GroupVersionResource[] = [
  ...['configmaps', 'secrets', 'services', 'serviceaccounts'].map(core),
  ...['deployments', 'statefulsets', 'daemonsets'].map((one) => of('apps', one)),
  ...['jobs', 'cronjobs'].map((one) => of('batch', one)),
  ...['roles', 'rolebindings'].map((one) => of('rbac.authorization.k8s.io', one)),
  ...['networkpolicies', 'ingresses'].map((one) => of('networking.k8s.io', one)),
  of('policy', 'poddisruptionbudgets'),
  { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' },
];
const deployments = of('apps', 'deployments');
const colors = of('shop.example.com', 'colors');
const definitions = of('apiextensions.k8s.io', 'customresourcedefinitions');
const clusterRoles = of('rbac.authorization.k8s.io', 'clusterroles');

const place = { namespace: SPACE };
const to = (command: string, ...more: string[]): string[] => [
  ...command.split(' '),
  ...more,
  '--namespace',
  SPACE,
];
const set = (values: string): string[] => ['--set', values];
const long = ['--timeout', '60s'];
const short = ['--timeout', '15s'];

const steps: readonly Step[] = [
  { name: 'upgrade of what is not there', helm: to('upgrade one', chart) },
  { name: 'dry installation', helm: to('install one', chart, '--dry-run=server') },
  {
    name: 'upgrade that installs',
    helm: to('upgrade one', chart, '--install', '--create-namespace', '--wait', '--wait-for-jobs'),
  },
  { name: 'status', helm: to('status one') },
  { name: 'list', helm: to('list') },
  { name: 'manifest', helm: to('get manifest one') },
  { name: 'the same again', helm: to('install one', chart) },
  { name: 'test', helm: to('test one') },
  { name: 'test that fails', helm: to('upgrade one', chart, ...set(`testImage=${fails}`)) },
  { name: 'failing test', helm: to('test one') },
  {
    name: 'upgrade',
    helm: to('upgrade one', chart, ...set('color=green,replicas=3,extra.size=large'), '--wait'),
  },
  {
    name: 'somebody scales and labels',
    by: async (client) => {
      const patch = { metadata: { labels: { by: 'hand' } }, spec: { replicas: 1 } };
      await client.patch(deployments, { ...place, name: 'one-web', type: 'merge' }, patch);
    },
  },
  { name: 'upgrade against it', helm: to('upgrade one', chart, '--reuse-values') },
  {
    name: 'upgrade with force',
    helm: to('upgrade one', chart, '--reuse-values', '--force-conflicts'),
  },
  {
    name: 'upgrade that never gets ready',
    helm: to('upgrade one', chart, ...set(missing), '--wait', '--timeout', '6s'),
  },
  {
    name: 'upgrade that is rolled back',
    helm: to('upgrade one', chart, ...set(missing), '--rollback-on-failure', '--timeout', '8s'),
  },
  {
    name: 'upgrade whose hook fails',
    helm: to('upgrade one', chart, ...set(`hookImage=${fails}`), ...short),
  },
  {
    name: 'upgrade that is refused',
    helm: to('upgrade one', chart, ...set('color=pink'), ...short),
  },
  {
    name: 'upgrade of what may not change',
    helm: to('upgrade one', chart, ...set('replicas=-1'), ...short),
  },
  { name: 'rollback', helm: to('rollback one 3', '--wait', ...short) },
  { name: 'rollback to what is not there', helm: to('rollback one 99') },
  {
    name: 'somebody removes the pod that never got ready',
    by: async (client) => {
      await client.delete(core('pods'), { ...place, name: 'one-store-1' });
    },
  },
  {
    name: 'upgrade by the client',
    helm: to('upgrade one', chart, '--server-side=false', ...set('color=blue'), '--wait', ...long),
  },
  {
    name: 'upgrade by replacement',
    helm: to('upgrade one', chart, '--server-side=false', '--force-replace'),
  },
  { name: 'history', helm: to('history one', '--max', '4') },
  {
    name: 'a second one',
    helm: to('install two', chart, '--set', 'replicas=1', '--wait', ...long),
  },
  {
    name: 'somebody made one of its objects',
    by: async (client) => {
      const metadata = { name: 'three', namespace: SPACE };
      await client.create(core('serviceaccounts'), {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata,
      });
    },
  },
  { name: 'what is there is not taken', helm: to('install three', chart, ...short) },
  { name: 'what is there is taken', helm: to('install three', chart, '--take-ownership') },
  { name: 'removal', helm: to('uninstall one', '--wait', '--cascade', 'foreground', ...long) },
  { name: 'removal that is kept', helm: to('uninstall two', '--keep-history', '--wait', ...long) },
  { name: 'rollback of what was removed', helm: to('rollback two 1', '--wait', ...long) },
  { name: 'removal of what is not there', helm: to('uninstall one') },
  { name: 'removal of all', helm: to('uninstall two three', '--wait', ...long) },
];

/** Addresses and ports are drawn; the rest is as plainValue() has it. */
function plainObject({ status: _status, ...object }: KubeObject): unknown {
  const spec = object['spec'] as Record<string, unknown> | undefined;
  if (object.kind === 'Service' && spec?.['clusterIP'] !== 'None') {
    delete spec?.['clusterIP'];
    delete spec?.['clusterIPs'];
  }
  const { managedFields, ...metadata } = object.metadata;
  // What is said in a status is a matter of the moment.
  const owners = managedFields?.filter((one) => one.subresource !== 'status');
  return plainValue({ ...object, metadata: { ...metadata, managedFields: owners } });
}

const isOwn = ({ metadata }: KubeObject): boolean =>
  metadata.name?.startsWith('sh.helm.release') !== true && metadata.name !== 'kube-root-ca.crt';

function plainText(text: string): string {
  return (plainValue(text) as string)
    .replaceAll(/(LAST DEPLOYED|Last Started|Last Completed): .*/g, '$1: TIME')
    .replaceAll(/\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*( ?[+-]\d{4}| ?UTC|Z)*/g, 'TIME')
    .replaceAll(/[IWE]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+/g, 'KLOG')
    .replaceAll(/\b(\d+m)?\d+s\b/g, 'AGO')
    .replaceAll(/198\.18\.\d+\.\d+/g, 'ADDRESS')
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/-(?:[a-z0-9]{8,10}-)?[a-z0-9]{5}(?= \d\/\d )/g, '-DRAWN')
    .trim();
}

class Side {
  readonly #cluster: Cluster;
  readonly #client: KubeClient;
  readonly #home: string;
  readonly #stop = new AbortController();
  readonly #nodes: Promise<void>;

  constructor(cluster: Cluster, home: string) {
    this.#cluster = cluster;
    this.#home = home;
    mkdirSync(home, { recursive: true });
    const admin = adminOf(cluster.port);
    writeFileSync(join(home, 'kubeconfig'), JSON.stringify(admin));
    this.#client = KubeClient.fromKubeconfig(admin, { userAgent: 'hollow' });
    this.#nodes = keepHollowNodes(this.#client, ['node-a', 'node-b'], this.#stop.signal);
  }

  async play({ helm, by }: Step): Promise<unknown> {
    const said = helm === undefined ? undefined : await this.#helm(helm);
    await by?.(this.#client);
    return { said, ...(await this.#objects()) };
  }

  async #helm(args: readonly string[]): Promise<object> {
    const folders = Object.fromEntries(
      ['CONFIG', 'CACHE', 'DATA'].map((one) => [`HELM_${one}_HOME`, join(this.#home, one)]),
    );
    const KUBECONFIG = join(this.#home, 'kubeconfig');
    const env = { ...process.env, ...folders, KUBECONFIG };
    const child = spawn(join(bin ?? '', 'helm'), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { out: '', err: '' };
    child.stdout.on('data', (part: Buffer) => (said.out += String(part)));
    child.stderr.on('data', (part: Buffer) => (said.err += String(part)));
    const [status] = (await once(child, 'close')) as [number];
    // Kinds stand in no order, and heads that come twice in a row only once.
    const lines = plainText(said.out).split('\n');
    const out = lines.filter((one) => !one.startsWith('NAME ')).toSorted();
    return { status, out, err: plainText(said.err).split('\n') };
  }

  async #objects(): Promise<Record<string, unknown>> {
    const found: Record<string, unknown> = {};
    const add = async (resource: GroupVersionResource, namespace?: string): Promise<void> => {
      const { items } = await this.#client
        .list(resource, { namespace })
        .catch(() => ({ items: [] }));
      for (const one of items.filter(isOwn)) {
        if (namespace === undefined && one.metadata.name?.includes(SPACE) !== true) continue;
        found[`${resource.resource} ${one.metadata.name ?? ''}`] = plainObject(one);
      }
    };
    for (const resource of [...compared, colors]) await add(resource, SPACE);
    for (const resource of [definitions, clusterRoles]) await add(resource);
    return found;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#nodes.catch(() => {});
    await this.#client.close();
    await this.#cluster.close();
  }
}

interface Difference {
  readonly path: string;
  readonly real: unknown;
  readonly own: unknown;
}

function differences(real: unknown, own: unknown, path = ''): Difference[] {
  const isTree = (one: unknown): one is Record<string, unknown> =>
    typeof one === 'object' && one !== null;
  if (!isTree(real) || !isTree(own)) {
    return JSON.stringify(real) === JSON.stringify(own) ? [] : [{ path, real, own }];
  }
  const keys = [...new Set([...Object.keys(real), ...Object.keys(own)])];
  return keys.flatMap((key) => differences(real[key], own[key], `${path}.${key}`));
}

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of helm and of the servers');
const home = mkdtempSync(join(tmpdir(), 'strata-compare-helm-'));
const signer = join(home, 'signer');
await Authority.open(signer, Date.now());
const tokens = join(home, 'tokens.csv');
writeFileSync(tokens, `${ADMIN_TOKEN},admin,u1,system:masters\n`);
const common = {
  flags: { 'token-auth-file': tokens, 'authorization-mode': 'Node,RBAC' },
  serviceCidr: '198.18.0.0/16',
};
const certificates = join(home, 'certificates');
const [real, own] = await Promise.all([
  startRealCluster({ ...common, home: join(home, 'real'), bin, signer, certificates }),
  startOwnCluster({ ...common, home: join(home, 'own') }),
]);
const sides = {
  real: new Side(real, join(home, 'at-real')),
  own: new Side(own, join(home, 'at-own')),
};
let count = 0;
try {
  for (const step of steps) {
    const [there, here] = await Promise.all([sides.real.play(step), sides.own.play(step)]);
    const found = differences(there, here);
    count += found.length;
    const { said } = there as { said?: { status: number; err: string[] } };
    const ended = said === undefined ? '' : `exit ${said.status} ${said.err.join(' | ')}, `;
    process.stdout.write(`${step.name}: ${ended}${found.length} differences\n`);
    for (const one of found) process.stdout.write(`  ${JSON.stringify(one)}\n`);
  }
  process.stdout.write(`${steps.length} steps, ${count} differences\n`);
} finally {
  await sides.real.close();
  await sides.own.close();
  rmSync(home, { recursive: true, force: true });
}
