// Wires a master: registry store, election, core and shell, HTTP server.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { steadyClock } from '#env/steady.ts';
import { Candidate } from '#mesos/election/candidate.ts';
import type { Group } from '#mesos/election/group.ts';
import {
  ETCD_PREFIX,
  openGroup,
  parseMasterAddress,
  redacted,
} from '#mesos/election/master-address.ts';
import { environmentFlags, namedFlags } from '#mesos/flags/flag-table.ts';
import { isMasterFlag, readMasterFlags, type MasterFlags } from '#mesos/master/given-flags.ts';
import { MasterHttp } from '#mesos/master/http.ts';
import { withNewNames } from '#mesos/master/other-flags.ts';
import { masterInfoOf } from '#mesos/master/master-info.ts';
import { MasterShell } from '#mesos/master/shell.ts';
import { StandbyHttp } from '#mesos/master/standby-http.ts';
import type { MasterOptions } from '#mesos/master/types.ts';
import { PortServer } from '#mesos/security/port-server.ts';
import { watchTls, type WatchedTls } from '#mesos/security/tls-reload.ts';
import { regionOf } from '#mesos/resources/domain.ts';
import { Registry } from '#mesos/registry/registry.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import { startCompaction } from '#store/compaction.ts';
import { openStore } from '#store/open-store.ts';
import { parseStoreSpec, type StoreSpec } from '#store/store-spec.ts';
import type { Store } from '#store/store.ts';
import { prepareFolder } from '#supervisor/folder.ts';
import type { RunningPart } from './part.ts';

export interface MasterRunOptions {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  /** Name for others to reach it by; what the machine is called otherwise. */
  readonly hostname?: string | undefined;
  /** Store of the registry, `sqlite:PATH` or `etcd:URL…`; a file in the home otherwise. */
  readonly store?: string | undefined;
  /** `zk://…/PATH`: masters elect their leader there. With a registry in etcd they do so there else. */
  readonly zk?: string | undefined;
  /** `name=value` under Mesos' names; also as MESOS_NAME in the environment, which they win over. */
  readonly flag?: readonly string[] | undefined;
}

const SECOND_MS = 1_000;

/** What /flags tells, under the names that Mesos has for the same things. */
function flagsOf({ home, host, port, zk, flag }: MasterRunOptions): Record<string, string> {
  return {
    ...(zk === undefined ? {} : { zk: redacted(zk) }),
    work_dir: home,
    ip: host,
    port: String(port),
    allocator: 'hierarchical',
    ...withNewNames(givenFlags(flag)),
    // Whatever was asked for: it is in a store.
    registry: 'strata',
  };
}

function givenFlags(flag: readonly string[] = []): Record<string, string> {
  return { ...environmentFlags(process.env, isMasterFlag), ...namedFlags(flag) };
}

/** `onVerbosity`: operators want more (above 0) in the log, or what it was started with (0). */
export async function runMaster(
  options: MasterRunOptions,
  given: Env,
  onVerbosity: (level: number) => void = () => {},
): Promise<RunningPart> {
  // Whoever sets the machine's clock ends nobody's time, and keeps no resources from being offered.
  const env = { ...given, clock: steadyClock(given.clock) };
  const { home, host } = options;
  // Tokens end by the time of day.
  const flags = readMasterFlags(givenFlags(options.flag), given);
  prepareFolder(home);
  const spec = parseStoreSpec(options.store ?? `sqlite:${join(home, 'registry.db')}`, ETCD_PREFIX);
  const group = await groupOf(options, spec, env);
  const store = await openStore(spec, env);
  const tls = watchTls(process.env, env);
  const serving = { requireHostHeader: false, keepAliveTimeout: 0 };
  const server = new PortServer(serving, tls.settings, env.log);
  const port = await server.listen(options);
  const master = new MasterProcess(
    { ...options, port },
    { store, group, server, tls, flags, onVerbosity },
    env,
  );
  await master.start();
  env.log.info('Master is ready', { host, port });
  return {
    url: `${tls.settings === undefined ? 'http' : 'https'}://${host}:${port}`,
    ended: master.ended,
    close: () => master.close(),
  };
}

/** Undefined: this master is the only one. */
async function groupOf(
  { zk }: MasterRunOptions,
  spec: StoreSpec,
  env: Env,
): Promise<Group | undefined> {
  if (zk !== undefined) {
    const address = parseMasterAddress(zk);
    if (address.kind !== 'zk') {
      throw new Fault(
        { code: 'bad-option' },
        `Cannot use "${redacted(zk)}": it is not zk://…/PATH`,
      );
    }
    return await openGroup(address, env);
  }
  return spec.kind === 'etcd' ? await openGroup(spec, env) : undefined;
}

interface MasterParts {
  readonly store: Store;
  readonly group: Group | undefined;
  readonly server: PortServer;
  readonly tls: WatchedTls;
  readonly flags: MasterFlags;
  readonly onVerbosity: (level: number) => void;
}

/** One life of a master: it waits for its turn, leads, and ends when another one does. */
class MasterProcess {
  readonly #parts: MasterParts;
  readonly #env: Env;
  readonly #options: MasterOptions;
  readonly #flags: Readonly<Record<string, string>>;
  readonly #standby: StandbyHttp;
  readonly #ended = Promise.withResolvers<void>();
  readonly #compaction: { close(): void };
  readonly #candidate: Candidate | undefined;
  #shell: MasterShell | undefined;
  #isRecovering = false;
  #isClosed = false;
  #handle: (request: IncomingMessage, response: ServerResponse) => void;

  constructor(options: MasterRunOptions, parts: MasterParts, env: Env) {
    this.#parts = parts;
    this.#compaction = startCompaction(parts.store, env);
    this.#env = env;
    this.#options = {
      ...masterOptions(options, parts.flags, env.random.uuid()),
      tls: parts.tls.settings,
    };
    this.#flags = flagsOf(options);
    const view = {
      options: this.#options,
      flags: this.#flags,
      files: filesOf(parts.flags),
      onVerbosity: parts.onVerbosity,
      leader: () => this.#candidate?.leader,
      isRecovering: () => this.#isRecovering,
      authentication: parts.flags.authentication,
      authorizer: parts.flags.authorizer,
      disabled: parts.flags.disabled,
      webUiFolder: parts.flags.webUiFolder,
    };
    this.#standby = new StandbyHttp(view, env);
    this.#handle = (request, response) => this.#standby.handle(request, response);
    parts.server.onRequest((request, response) => this.#handle(request, response));
    if (parts.group === undefined) return;
    const handlers = {
      onElected: () => void this.#lead().catch((error: unknown) => this.#fail(error)),
      onFollowing: (leader: MasterInfo) => this.#follow(leader),
      onDeposed: () => {
        env.log.warn('This master leads no longer; it ends');
        this.#ended.resolve();
      },
    };
    this.#candidate = new Candidate(parts.group, handlers, env);
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Resolves when it leads or waits for its turn. */
  async start(): Promise<void> {
    if (this.#candidate === undefined) await this.#lead();
    else await this.#candidate.start(masterInfoOf(this.#options));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const { server, store, tls } = this.#parts;
    tls.close();
    this.#standby.close();
    await this.#shell?.close();
    await this.#candidate?.close();
    await server.close();
    this.#compaction.close();
    await store[Symbol.asyncDispose]();
  }

  async #lead(): Promise<void> {
    this.#isRecovering = true;
    const registry = new Registry(this.#parts.store);
    await registry.lead(this.#options.masterId);
    const shell = await MasterShell.start(
      this.#options,
      registry,
      this.#env,
      this.#parts.flags.gate,
    );
    if (this.#isClosed) {
      await shell.close();
      return;
    }
    this.#shell = shell;
    const { disabled, webUiFolder } = this.#parts.flags;
    this.#standby.close();
    const http = new MasterHttp(shell, this.#flags, {
      files: filesOf(this.#parts.flags),
      onVerbosity: (level) => this.#parts.onVerbosity(level),
      authentication: this.#parts.flags.authentication,
      disabled,
      webUiFolder,
    });
    this.#handle = (request, response) => http.handle(request, response);
    this.#parts.server.onConnection((socket, first, giveBack) => {
      return http.accept(socket, first, giveBack);
    });
    this.#env.log.info('Master leads', { masterId: this.#options.masterId });
    void shell.ended.then(() => this.#ended.resolve());
  }

  /** All masters of a cluster are in one region (--domain). */
  #follow({ domain }: MasterInfo): void {
    const [theirs, own] = [regionOf(domain), regionOf(this.#options.domain)];
    if (theirs === undefined || own === undefined || theirs === own) return;
    const message = 'all masters in the same cluster must use the same region';
    this.#env.log.error(`Cannot follow the leading master: ${message}`, { theirs, own });
    this.#ended.resolve();
  }

  #fail(error: unknown): void {
    this.#env.log.error('Cannot lead', { error });
    this.#ended.resolve();
  }
}

/** What /files shows. */
function filesOf({ logFile }: MasterFlags): ReadonlyMap<string, string> {
  return new Map(logFile === undefined ? [] : [['/master/log', logFile]]);
}

function masterOptions(
  options: MasterRunOptions,
  flags: MasterFlags,
  masterId: string,
): MasterOptions {
  const { host } = options;
  const { ip = host, port = options.port } = flags.advertised;
  return {
    masterId,
    pid: `master@${ip}:${port}`,
    hostname: options.hostname ?? (ip === '127.0.0.1' ? 'localhost' : hostname()),
    ip,
    port,
    version: '1.11.0',
    ...flags.settings,
    heartbeatMs: 15 * SECOND_MS,
    authorizer: flags.authorizer,
    authenticatesFrameworks: flags.gate.peers.wantsFrameworks,
  };
}
