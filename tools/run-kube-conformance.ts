// Runs the upstream end-to-end conformance tests that need no running pod against our API server and
// controllers, and writes the list of them with their outcome into docs/operating/conformance.md:
// `node tools/run-kube-conformance.ts BIN [--names FILE]`. BIN holds ginkgo, e2e.test and kubectl of
// Kubernetes v1.37. The tests are those that the page lists, or those of FILE, one a line.
// With `--kubeconfig FILE` they are run against the instance of a `strata up`, whose node runs pods as
// processes, and the list is a section of its own. With `--images FILE` as well, a list of registries as
// e2e.test takes it (KUBE_TEST_REPO_LIST), the node runs their images by a container runtime: another section.
import { spawn, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { createEnv } from '#env/node/env.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { KubeClient } from '#kube/client/client.ts';
import { leases, nodes } from '#kube/client/resources.ts';
import { startControllers } from '#kube/controllers/run.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';

const page = join(import.meta.dirname, '../docs/operating/conformance.md');
const WITHOUT_PODS = '## Upstream end-to-end conformance, without a running pod';
const WITH_PODS = '## Upstream end-to-end conformance, with pods of processes';
const WITH_IMAGES = '## Upstream end-to-end conformance, with pods of images';
const NODES = 3;
const HEARTBEAT_MS = 10_000;

interface Outcome {
  readonly name: string;
  /** undefined: passed. */
  readonly failure: string | undefined;
}

interface Spec {
  readonly LeafNodeType: string;
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeText: string;
  readonly State: string;
  readonly Failure?: { readonly Message?: string };
}

/** What stands before the section, in it, and behind it. */
function parts(heading: string): [before: string, section: string, behind: string] {
  const [before = '', rest = ''] = readFileSync(page, 'utf8').split(`${heading}\n`);
  const end = rest.indexOf('\n## ');
  return end < 0 ? [before, rest, ''] : [before, rest.slice(0, end + 1), rest.slice(end + 1)];
}

/** What the page says of tests; those that are not run again stay as they were. */
function outcomesOfPage(heading: string): Outcome[] {
  const [, list] = parts(heading);
  return [...list.matchAll(/^- (passed|failed): (.*?)(?: — (.*))?$/gm)].map(
    ([, outcome, name = '', failure = '']) => ({
      name,
      failure: outcome === 'passed' ? undefined : failure,
    }),
  );
}

function namesOfPage(heading: string): string[] {
  return outcomesOfPage(heading).map(({ name }) => name);
}

/** Nodes that are ready and take pods, with nobody behind them. */
async function keepNodes(client: KubeClient): Promise<() => void> {
  const names = Array.from({ length: NODES }, (_one, index) => `node-${index}`);
  const beat = async (name: string): Promise<void> => {
    const now = new Date().toISOString();
    const lease = await client.get(leases, { namespace: 'kube-node-lease', name });
    const renewTime = now.replace('Z', '000Z');
    await client.update(leases, { ...lease, spec: { ...lease['spec'], renewTime } });
  };
  for (const name of names) {
    await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
    const lastTransitionTime = new Date().toISOString();
    const ready = { type: 'Ready', status: 'True', reason: 'Kept', lastTransitionTime };
    const capacity = { cpu: '4', memory: '8Gi', pods: '110' };
    const status = { capacity, allocatable: capacity, conditions: [ready] };
    // The node controllers have seen the node by now, so its version may be another one.
    await client.patch(nodes, { name, type: 'strategic', subresource: 'status' }, { status });
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    const metadata = { name, namespace: 'kube-node-lease' };
    const spec = { holderIdentity: name, leaseDurationSeconds: 40 };
    await client.create(leases, { ...lease, metadata, spec } as KubeObject);
    await beat(name);
  }
  const timer = setInterval(() => {
    for (const name of names) void beat(name).catch(() => {});
  }, HEARTBEAT_MS);
  return () => clearInterval(timer);
}

function run(command: readonly string[], folder: string): Promise<number> {
  return new Promise((done, fail) => {
    const options: SpawnOptions = { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] };
    const child = spawn(command[0] ?? '', command.slice(1), options);
    child.on('error', fail);
    child.on('close', (status) => done(status ?? 1));
  });
}

const escaped = (name: string): string => name.replaceAll(/[\][().*+?^${}|\\/]/g, String.raw`\$&`);

/** One run of ginkgo; those marked [Serial] want to be alone. */
async function play(
  bin: string,
  folder: string,
  kubeconfig: string,
  { names, processes }: { names: readonly string[]; processes: number },
): Promise<Outcome[]> {
  if (names.length === 0) return [];
  const report = `report-${processes}.json`;
  await run(
    [
      join(bin, 'ginkgo'),
      `--procs=${processes}`,
      `--timeout=${values.timeout}`,
      '--no-color',
      `--output-dir=${folder}`,
      `--json-report=${report}`,
      `--focus=${names.map(escaped).join('|')}`,
      join(bin, 'e2e.test'),
      '--',
      `--kubeconfig=${kubeconfig}`,
      '--provider=skeleton',
      `--kubectl-path=${join(bin, 'kubectl')}`,
      '--dump-logs-on-failure=false',
      '--allowed-not-ready-nodes=-1',
    ],
    folder,
  );
  const suites = JSON.parse(readFileSync(join(folder, report), 'utf8')) as {
    readonly SpecReports: readonly Spec[] | null;
  }[];
  const specs = suites.flatMap(({ SpecReports }) => SpecReports ?? []);
  const found = new Map(
    specs
      .filter((one) => one.LeafNodeType === 'It')
      .map((one) => [[...(one.ContainerHierarchyTexts ?? []), one.LeafNodeText].join(' '), one]),
  );
  return names.map((name) => {
    const spec = found.get(name);
    if (spec?.State === 'passed') return { name, failure: undefined };
    const message = spec?.Failure?.Message ?? 'was not run';
    return { name, failure: message.replaceAll(/\s+/g, ' ').slice(0, 160) };
  });
}

/** What each list was run against, and by which options. */
const runs: Readonly<Record<string, readonly [against: string, options: string]>> = {
  [WITHOUT_PODS]: [
    'the API server and the controllers only, three nodes with nobody behind them',
    '',
  ],
  [WITH_PODS]: ['`strata up`, one node that runs pods as processes', ' --kubeconfig FILE'],
  [WITH_IMAGES]: [
    '`strata up`, one node that runs images by containerd 1.6',
    ' --kubeconfig FILE --images FILE',
  ],
};

function write(heading: string, run: readonly Outcome[]): void {
  const isAgain = new Set(run.map(({ name }) => name));
  const outcomes = [...run, ...outcomesOfPage(heading).filter(({ name }) => !isAgain.has(name))];
  const [before, , behind] = parts(heading);
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length;
  const date = new Date().toISOString().slice(0, 10);
  const count = `${outcomes.length - failed} passed, ${failed} failed`;
  const lines = outcomes
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, failure }) =>
      failure === undefined ? `- passed: ${name}` : `- failed: ${name} — ${failure}`,
    );
  const [against = '', options = ''] = runs[heading] ?? [];
  const command = `\`node tools/run-kube-conformance.ts BIN${options}\``;
  const intro = `${date}, e2e.test v1.37.2, ${against}: ${count}.\nWritten by ${command}.`;
  const after = behind === '' ? '' : `\n${behind}`;
  writeFileSync(page, `${before}${heading}\n${intro}\n\n${lines.join('\n')}\n${after}`);
  process.stdout.write(`${count}\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    names: { type: 'string' },
    procs: { type: 'string', default: '4' },
    kubeconfig: { type: 'string' },
    images: { type: 'string' },
    timeout: { type: 'string', default: '25m' },
  },
});
const [bin] = positionals;
if (bin === undefined) throw new Error('Name the folder with ginkgo, e2e.test and kubectl');
const withPods = values.images === undefined ? WITH_PODS : WITH_IMAGES;
const heading = values.kubeconfig === undefined ? WITHOUT_PODS : withPods;
if (values.images !== undefined) process.env['KUBE_TEST_REPO_LIST'] = values.images;
const names =
  values.names === undefined
    ? namesOfPage(heading)
    : readFileSync(values.names, 'utf8').split('\n').filter(Boolean);
const home = mkdtempSync(join(tmpdir(), 'strata-conformance-'));

/** A server of its own, with controllers and nodes. */
async function startCluster(): Promise<{ kubeconfig: string; close: () => Promise<void> }> {
  const env = createEnv({ component: 'conformance', logLevel: 'warn', logFormat: 'text' });
  const options = {
    instance: 'default',
    home,
    listen: { host: '127.0.0.1', port: 0 },
    store: new MemoryStore(),
    registry: new TypeRegistry(),
    serviceCidr: '198.18.0.0/16',
  };
  const server = await startApiServer(options, env);
  const kubeconfig = join(home, 'kubeconfig');
  const admin = parse(readFileSync(kubeconfig, 'utf8')) as object;
  const client = KubeClient.fromKubeconfig(admin, { userAgent: 'conformance' });
  const tokens = await TokenAuthority.open(join(home, 'pki'));
  const signer = server.authority;
  const controllers = startControllers({ client, rootCa: signer.caCert, signer, tokens }, env);
  const stopNodes = await keepNodes(client);
  return {
    kubeconfig,
    async close() {
      stopNodes();
      await controllers.close();
      await client.close();
      await server.close();
    },
  };
}

const isSerial = (name: string): boolean => name.includes('[Serial]');
const cluster =
  values.kubeconfig === undefined
    ? await startCluster()
    : { kubeconfig: values.kubeconfig, close: async () => {} };
try {
  const together = {
    names: names.filter((name) => !isSerial(name)),
    processes: Number(values.procs),
  };
  const alone = { names: names.filter(isSerial), processes: 1 };
  const parallel = await play(bin, home, cluster.kubeconfig, together);
  const serial = await play(bin, home, cluster.kubeconfig, alone);
  write(heading, [...parallel, ...serial]);
} finally {
  await cluster.close();
  rmSync(home, { recursive: true, force: true });
}
