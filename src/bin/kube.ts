// Wires the components of a Kubernetes instance that this process was asked to run.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { atMost } from '#env/at-most.ts';
import type { Env } from '#env/env.ts';
import type { AccessFlags } from '#kube/apiserver/flag-values.ts';
import type { Component } from '#kube/apiserver/component-statuses.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from '#kube/apiserver/server.ts';
import { authenticated } from '#kube/apiserver/user.ts';
import { KubeClient } from '#kube/client/client.ts';
import { Http2Transport } from '#kube/client/http2-transport.ts';
import { loadKubeconfig } from '#kube/client/kubeconfig.ts';
import { RestClient } from '#kube/client/rest-client.ts';
import type { Transport } from '#kube/client/transport.ts';
import { signingEndpoint } from '#kube/apiserver/token-keys.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { startControllers } from '#kube/controllers/run.ts';
import { startScheduler } from '#kube/framework/run.ts';
import { nodeExecutorCommand } from '#kube/node/node-command.ts';
import { Authority, kubeconfig } from '#kube/pki/authority.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { readAccess, urlOf } from '#mesos/client/access.ts';
import { watchTls } from '#mesos/security/tls-reload.ts';
import { detectMaster } from '#mesos/election/master-address.ts';
import { openStore } from '#store/open-store.ts';
import { parseStoreSpec } from '#store/store-spec.ts';
import type { Store } from '#store/store.ts';
import { prepareFolder } from '#supervisor/folder.ts';
import { checkInstanceName, instanceConfig, type InstanceConfig } from '#supervisor/home.ts';
import { LocalTransport } from './local-transport.ts';
import { LoopShare } from './loop-share.ts';
import type { RunningPart } from './part.ts';
import { installWrapper } from './self.ts';

export interface KubeOptions {
  readonly name: string;
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly master?: string | undefined;
  readonly components: string;
  readonly kubeconfig?: string | undefined;
  /** File with principal and secret, by which masters know the instance. */
  readonly credential?: string | undefined;
  /** See store/open-store.ts; absent: the instance's own file. */
  readonly store?: string | undefined;
  /** Ranges of service addresses; absent: those of the instance. */
  readonly serviceClusterIpRange?: string | undefined;
  /** Of kube-apiserver; those of the instance's own file stand behind. */
  readonly flags?: AccessFlags | undefined;
  /** A file with an EncryptionConfiguration; absent: what the instance has, or nothing is encrypted. */
  readonly encryptionProviderConfig?: string | undefined;
  readonly maxRequestsInflight?: number | undefined;
  readonly maxMutatingRequestsInflight?: number | undefined;
  /** Its supervisor does not wait for ever for its end. */
  readonly supervised?: boolean | undefined;
}

const known = new Set(['apiserver', 'scheduler', 'controllers']);

function componentsOf(options: KubeOptions): ReadonlySet<string> {
  const wanted = new Set(
    options.components
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  );
  for (const one of wanted) {
    if (known.has(one)) continue;
    const names = [...known].join(', ');
    throw new Fault(
      { code: 'bad-option', component: one },
      `Cannot run component "${one}": known are ${names}`,
    );
  }
  if (wanted.has('scheduler') && options.master === undefined) {
    throw new Fault(
      { code: 'bad-option' },
      'Cannot run the scheduler: it needs --master (HOST:PORT, zk://… or etcd:…)',
    );
  }
  return wanted;
}

function readInstance(folder: string, options: KubeOptions): InstanceConfig {
  const path = join(folder, 'instance.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as InstanceConfig;
  return instanceConfig(options.name, options.port);
}

const USABLE_MS_MAX = 10_000;
/** Less than the supervisor's grace (supervisor/shell.ts): what is stored is closed in order, too. */
const SUPERVISED_END_MS_MAX = 15_000;

interface Started {
  close(): void | Promise<void>;
}

class Instance {
  readonly #options: KubeOptions;
  readonly #env: Env;
  readonly #folder: string;
  readonly #config: InstanceConfig;
  readonly #started: Started[] = [];
  /** Of the components that ask the server of this process. */
  readonly #share = new LoopShare();
  readonly #running = new Set<Component>();
  #server: ApiServer | undefined;
  #usable = Promise.resolve();

  constructor(options: KubeOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.#folder = join(options.home, 'kube', options.name);
    prepareFolder(this.#folder);
    this.#config = readInstance(this.#folder, options);
  }

  async start(wanted: ReadonlySet<string>): Promise<string> {
    if (wanted.has('apiserver')) await this.#startApiServer();
    if (wanted.has('controllers')) {
      await this.#startControllers();
      this.#running.add('controller-manager');
    }
    if (wanted.has('scheduler')) {
      await this.#startScheduler();
      this.#running.add('scheduler');
    }
    await this.#usable;
    return this.#server?.url ?? `https://${this.#options.host}:${this.#options.port}`;
  }

  async close(): Promise<void> {
    for (const one of this.#started.toReversed()) await one.close();
  }

  async #startApiServer(): Promise<void> {
    const { host, port, name } = this.#options;
    const embedded = `sqlite:${join(this.#folder, 'store.db')}`;
    const spec = this.#options.store ?? this.#config.store ?? embedded;
    const store = await openStore(parseStoreSpec(spec, `/strata/${name}`), this.#env);
    this.#started.push({ close: async () => await store[Symbol.asyncDispose]() });
    const { maxRequestsInflight = 400, maxMutatingRequestsInflight = 200 } = this.#options;
    const shown = {
      'encryption-provider-config': this.#encryptionConfig ?? '',
      'max-requests-inflight': String(maxRequestsInflight),
      'max-mutating-requests-inflight': String(maxMutatingRequestsInflight),
    };
    this.#server = await startApiServer(
      {
        instance: name,
        home: this.#folder,
        listen: { host, port },
        ...(await this.#encrypted(store)),
        inflightMax: maxRequestsInflight + maxMutatingRequestsInflight,
        registry: new TypeRegistry(),
        serviceCidr: this.#options.serviceClusterIpRange ?? this.#config.serviceCidr,
        flags: this.#flags,
        onConnection: () => this.#share.giveWay(),
        runsHere: (component) => this.#running.has(component),
        shown,
        endMsMax: this.#options.supervised === true ? SUPERVISED_END_MS_MAX : undefined,
      },
      this.#env,
    );
    this.#started.push(this.#server);
  }

  /** Of kube-apiserver. */
  get #flags(): Readonly<Record<string, unknown>> {
    return { ...this.#config.apiserver, ...this.#options.flags };
  }

  get #encryptionConfig(): string | undefined {
    return this.#options.encryptionProviderConfig ?? this.#config.encryptionProviderConfig;
  }

  async #encrypted(store: Store): Promise<Pick<ApiServerOptions, 'store' | 'checkKeyPlugins'>> {
    const path = this.#encryptionConfig;
    if (path === undefined) return { store };
    const { openEncrypted } = await import('#kube/apiserver/encryption/reload.ts');
    const opened = await openEncrypted(store, path, this.#env);
    this.#started.push(opened);
    return { store: opened.store, checkKeyPlugins: opened.check };
  }

  /** To our own server without a connection, else as a file says. */
  #transportOf(user: string): Transport {
    const userAgent = user.split(':').at(-1) ?? user;
    if (this.#server !== undefined) {
      return new LocalTransport(this.#server.handler, {
        user: authenticated(user, []),
        userAgent,
        turn: () => this.#share.enter(),
      });
    }
    const path = this.#options.kubeconfig ?? join(this.#folder, 'kubeconfig');
    return new Http2Transport(loadKubeconfig(path), userAgent);
  }

  async #startControllers(): Promise<void> {
    const client = new KubeClient(this.#transportOf('system:kube-controller-manager'));
    const authority = await Authority.open(join(this.#folder, 'pki'), this.#env.clock.now());
    // Another API server trusts other certificates than the ones that are made here.
    const signer = this.#options.kubeconfig === undefined ? authority : undefined;
    // Tokens that do not end are for those who have the key.
    const isSigner =
      this.#options.kubeconfig === undefined && signingEndpoint(this.#flags) === undefined;
    const tokens = isSigner
      ? await TokenAuthority.open(join(this.#folder, 'pki'), this.#flags)
      : undefined;
    const options = { client, rootCa: authority.caCert, signer, tokens };
    const controllers = startControllers(options, this.#env);
    void this.#share.starting(controllers.ready);
    // Whoever reads that it is ready makes a pod next; the server may be another one, and its answers late.
    this.#usable = atMost(USABLE_MS_MAX, controllers.usable, this.#env.timers);
    this.#started.push({ close: () => client.close() }, controllers);
  }

  async #startScheduler(): Promise<void> {
    const { name, home, master = '' } = this.#options;
    const client = new RestClient(this.#transportOf('system:kube-scheduler'));
    const authority = await Authority.open(join(this.#folder, 'pki'), this.#env.clock.now());
    const tls = watchTls(process.env, this.#env);
    this.#started.push({ close: () => tls.close() });
    const { credential } = this.#options;
    const access = readAccess(credential, process.env, this.#env.log, tls.settings);
    const detector = await detectMaster(master, () => {}, this.#env);
    this.#started.push({ close: () => void detector.close() });
    const command = nodeExecutorCommand([installWrapper(home)], name);
    const scheduler = startScheduler(
      {
        instance: name,
        client,
        masterUrl: () =>
          detector.address === undefined ? undefined : urlOf(access, detector.address),
        access,
        home: this.#folder,
        role: `kube/${name}`,
        podCidr: this.#config.podCidr,
        nodeExecutorCommand: command,
        issueBundle: (node) => this.#issueBundle(authority, node),
      },
      this.#env,
    );
    this.#started.push({ close: () => client.close() }, scheduler);
  }

  async #issueBundle(
    authority: Authority,
    node: { nodeName: string; ip: string; kubeletPort: number; podCidr: string },
  ): Promise<string> {
    const { nodeName, ip, kubeletPort, podCidr } = node;
    const now = this.#env.clock.now();
    const user = `system:node:${nodeName}`;
    const names = [nodeName, 'localhost'];
    const identity = { commonName: user, organizations: ['system:nodes'], names, ips: [ip] };
    const pair = await authority.issuePeer(identity, now);
    const server = this.#server?.url ?? `https://${this.#options.host}:${this.#options.port}`;
    const bundle = {
      instance: this.#options.name,
      nodeName,
      kubeconfig: kubeconfig({
        server,
        caCert: authority.caCert,
        pair,
        user,
        cluster: this.#options.name,
      }),
      servingCert: pair.cert,
      servingKey: pair.key,
      clientCa: authority.caCert,
      kubeletPort,
      hostIp: ip,
      podCidr,
    };
    return Buffer.from(JSON.stringify(bundle)).toString('base64');
  }
}

export async function runKube(options: KubeOptions, env: Env): Promise<RunningPart> {
  checkInstanceName(options.name);
  const wanted = componentsOf(options);
  const instance = new Instance(options, env);
  try {
    const url = await instance.start(wanted);
    return { url, close: () => instance.close() };
  } catch (error) {
    await instance.close();
    throw error;
  }
}
