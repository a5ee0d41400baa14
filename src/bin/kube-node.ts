// The node executor as a program: reads what agent and instance have put into its environment, runs
// until the agent asks for its end.
import { join } from 'node:path';
import { faultCode, errorChain } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { createProcessHost } from '#env/node/process-host.ts';
import { PodEventRecorder } from '#kube/node/event-recorder.ts';
import { readBundle } from '#kube/node/node-bundle.ts';
import type { NodeBundle } from '#kube/node/node-bundle.ts';
import { finalExitCodes } from '#kube/node/node-command.ts';
import { ObjectWatch } from '#kube/client/object-watch.ts';
import type { Pod } from '#kube/node/pod-spec.ts';
import { RestClient } from '#kube/client/rest-client.ts';
import { startNode } from '#kube/node/run.ts';
import type { NodeLinks, NodeOptions, RunningNode } from '#kube/node/run.ts';
import { executorOptions } from '#mesos/client/executor-client.ts';
import { watchTls } from '#mesos/security/tls-reload.ts';

export interface KubeNodeOptions {
  readonly instance: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** With the shell around it gone, the agent has given up this executor: so must we. */
const parentCheckMs = 2_000;

function nodeOptions({ instance }: KubeNodeOptions, variables: Variables, env: Env): NodeOptions {
  const bundle = readBundle(variables);
  if (bundle.instance !== instance) {
    throw new Error(`The bundle is for instance "${bundle.instance}", not for "${instance}"`);
  }
  // The sandbox lasts as long as this run of the executor, which is as long as its pods may.
  const sandbox = variables['MESOS_DIRECTORY'] ?? variables['MESOS_SANDBOX'] ?? process.cwd();
  const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME = '/' } =
    variables;
  return {
    bundle,
    folder: variables['STRATA_NODE_DIR'] ?? join(sandbox, 'node'),
    runId: sandbox,
    executor: executorOptions(variables, watchTls(variables, env).settings),
    criSocket: variables['STRATA_CRI_SOCKET'] ?? variables['CONTAINER_RUNTIME_ENDPOINT'],
    baseEnv: { PATH, HOME },
  };
}

function openLinks(bundle: NodeBundle, client: RestClient, env: Env): NodeLinks {
  const recorder = new PodEventRecorder(bundle.nodeName, (call) => client.call(call), env);
  return {
    call: (call) => client.call(call),
    recordEvent: (pod, event) => recorder.record(pod, event),
    watchPods({ onPod, onGone, onSynced }) {
      const query = `fieldSelector=${encodeURIComponent(`spec.nodeName=${bundle.nodeName}`)}`;
      const handlers = { onObject: (object: object) => onPod(object as Pod), onGone, onSynced };
      return new ObjectWatch({ path: '/api/v1/pods', query }, handlers, client, env).start();
    },
    watchServices: () =>
      new ObjectWatch({ path: '/api/v1/services', query: '' }, {}, client, env).start(),
    watchCertificates(namespace, selector, handlers) {
      const path = `/apis/certificates.k8s.io/v1/namespaces/${namespace}/podcertificaterequests`;
      const query = `fieldSelector=${encodeURIComponent(selector)}`;
      return new ObjectWatch({ path, query }, handlers, client, env).start();
    },
    async makeCertificateKey(keyType) {
      // Few pods have certificates, and what makes requests is large.
      const { makeStubRequest } = await import('#kube/pki/stub-request.ts');
      return await makeStubRequest(keyType);
    },
  };
}

export async function runKubeNode(options: KubeNodeOptions, env: Env): Promise<number> {
  let settings: NodeOptions;
  try {
    settings = nodeOptions(options, process.env, env);
  } catch (error) {
    env.log.error('Cannot run as a node executor', { error: errorChain(error) });
    return faultCode(error) === 'api' ? 1 : finalExitCodes.unusable;
  }
  let node: RunningNode | undefined;
  let isWanted = true;
  const end = (): void => {
    isWanted = false;
    node?.shutdown();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  const client = RestClient.fromKubeconfig(settings.bundle.kubeconfig as object, 'strata-node');
  const host = createProcessHost(env);
  const links = openLinks(settings.bundle, client, env);
  node = await startNode(settings, links, { env, host });
  // What came while it started.
  if (!isWanted) node.shutdown();
  const loop = process.env['STRATA_NODE_LOOP'];
  const check = setInterval(() => {
    if (loop !== undefined && String(process.ppid) !== loop) end();
  }, parentCheckMs);
  await node.ended;
  clearInterval(check);
  await node.close();
  await client.close();
  return finalExitCodes.ended;
}
