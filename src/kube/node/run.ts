// Puts the node executor together: agent on one side, API server on the other, runtimes below, the
// kubelet's HTTPS API on top.
import { availableParallelism, totalmem } from 'node:os';
import type { Env } from '#env/env.ts';
import type { ProcessHost } from '#env/process.ts';
import { PROCESS_RUNTIME } from '#kube/meta/node-versions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ExecutorClient } from '#mesos/client/executor-client.ts';
import type { ExecutorClientOptions } from '#mesos/client/executor-client.ts';
import { NodeExecutor } from './executor.ts';
import { KubeNodeApi, untilDone, type WatchCertificates } from './kube-node-api.ts';
import { readNodeInfo } from './node-info.ts';
import type { CallApi } from '#kube/client/api-call.ts';
import { KubeletServer } from './kubelet-server.ts';
import type { NodeBundle } from './node-bundle.ts';
import type { NodeApi, PodEvent } from './node-api.ts';
import { PodNetwork, networkNames } from './pod-network.ts';
import type { Pod } from './pod-spec.ts';
import { findPrivileges } from './privileges.ts';
import { ProcessRuntime } from './process-runtime.ts';
import { Runtimes } from './runtimes.ts';

export interface PodHandlers {
  onPod(pod: Pod): void;
  onGone(uid: string): void;
  onSynced(): void;
}

/** The API server, as the program gives it. */
export interface NodeLinks {
  readonly call: CallApi;
  /** Pods bound to the node. */
  watchPods(handlers: PodHandlers): { close(): void };
  watchServices(): { list(): readonly KubeObject[]; close(): void };
  readonly watchCertificates: WatchCertificates;
  readonly makeCertificateKey: NodeApi['makeCertificateKey'];
  recordEvent(pod: Pod, event: PodEvent): void;
}

export interface NodeOptions {
  readonly bundle: NodeBundle;
  readonly folder: string;
  readonly runId: string;
  readonly executor: ExecutorClientOptions;
  readonly criSocket: string | undefined;
  readonly baseEnv: Readonly<Record<string, string>>;
}

export interface RunningNode {
  readonly kubeletPort: number;
  /** Resolves when the agent has asked for the end and all pods have ended. */
  readonly ended: Promise<void>;
  /** Ends all pods, then `ended`. */
  shutdown(): void;
  /** Stops, and leaves the pods running for a successor. */
  close(): Promise<void>;
}

const flushMs = 5_000;
const listenTriesMax = 50;
const listenRetryMs = 200;
const apiServerName = 'kube-apiserver-kubelet-client';

export async function startNode(
  options: NodeOptions,
  links: NodeLinks,
  { env, host }: { readonly env: Env; readonly host: ProcessHost },
): Promise<RunningNode> {
  const { bundle } = options;
  const ended = Promise.withResolvers<void>();
  let hasEnded = false;
  let isClosed = false;
  const { runtimes, network } = makeRuntimes(options, host, env);
  const services = links.watchServices();
  const api = new KubeNodeApi({
    nodeName: bundle.nodeName,
    call: links.call,
    makeCertificateKey: links.makeCertificateKey,
    watchCertificates: links.watchCertificates,
    services: () => services.list(),
    recordEvent: (pod, event) => links.recordEvent(pod, event),
  });
  const client: ExecutorClient = new ExecutorClient(
    options.executor,
    {
      onEvent: (event) => executor.onEvent(event),
      onAbandoned: () => executor.shutdown(),
    },
    env,
  );
  const executor = new NodeExecutor(
    {
      nodeName: bundle.nodeName,
      hostIps: [bundle.hostIp],
      capacity: { cpus: availableParallelism(), memoryBytes: totalmem() },
      folder: options.folder,
      runId: options.runId,
    },
    {
      api,
      mesos: client,
      runtimeFor: (pod, folder) => runtimes.choose(pod, folder, (name) => api.runtimeHandler(name)),
      readPod: (namespace, name) => api.readPod(namespace, name),
      onShutdown: () => {
        hasEnded = true;
        void client.flush(flushMs).then(() => ended.resolve());
      },
    },
    env,
  );
  const runtimeName = await runtimes.describe();
  await executor.start();
  await network?.removeOthers(executor.workers().map(({ pod }) => pod.metadata.uid ?? ''));
  const server = new KubeletServer(
    {
      host: bundle.hostIp,
      port: bundle.kubeletPort,
      nodeName: bundle.nodeName,
      cert: bundle.servingCert,
      key: bundle.servingKey,
      clientCa: bundle.clientCa,
      allowedNames: [apiServerName],
    },
    executor,
    env,
  );
  const kubeletPort = await listen(server, env);
  const info = readNodeInfo(runtimeName === 'process' ? PROCESS_RUNTIME : runtimeName);
  void untilDone(
    () => api.writeNodeInfo(info),
    env,
    () => hasEnded || isClosed,
  );
  client.start();
  const pods = links.watchPods({
    onPod: (pod) => executor.onPod(pod),
    onGone: (uid) => executor.onPodGone(uid),
    onSynced: () => executor.onSynced(),
  });
  env.log.info('Node executor is up', { node: bundle.nodeName, kubeletPort, runtimeName });
  return {
    kubeletPort,
    ended: ended.promise,
    shutdown: () => executor.shutdown(),
    async close() {
      isClosed = true;
      pods.close();
      services.close();
      client.close();
      await executor.close();
      await server.close();
      runtimes.close();
      // With no pod left the bridge serves nobody.
      if (hasEnded) await network?.destroy();
    },
  };
}

function makeRuntimes(
  { bundle, criSocket, baseEnv }: NodeOptions,
  host: ProcessHost,
  env: Env,
): { readonly runtimes: Runtimes; readonly network: PodNetwork | undefined } {
  const privileges = findPrivileges();
  const { clientCa, nodeName, podCidr, hostIp, clusterDns = [] } = bundle;
  const named = { cluster: clientCa, nodeName };
  const network =
    privileges.network && podCidr !== undefined && podCidr !== ''
      ? new PodNetwork({ ...named, podCidr })
      : undefined;
  const runtime = new ProcessRuntime(
    {
      hostIps: [hostIp],
      privileged: privileges.containers,
      network,
      cgroup: `strata/${networkNames(named).bridge}`,
      baseEnv,
      clusterDns,
    },
    host,
    env,
  );
  const classDefault = bundle.runtimeClassDefault;
  const shared = { criSocket, classDefault, hostIps: [hostIp], clusterDns };
  return { runtimes: new Runtimes(runtime, network, shared, env), network };
}

/** A former executor may not have let go of the port yet. */
async function listen(server: KubeletServer, { timers }: Env): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await server.listen();
    } catch (error) {
      const isUsed = (error as { readonly code?: unknown }).code === 'EADDRINUSE';
      if (!isUsed || tries >= listenTriesMax) throw error;
      await new Promise<void>((done) => timers.after(listenRetryMs, done));
    }
  }
}
