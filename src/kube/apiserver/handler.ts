// Takes each request through authentication, authorization and its verb. What is not about a resource
// (health, discovery, OpenAPI) is in public-paths.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import type { Env, Log } from '#env/env.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { KeyPair } from '#kube/pki/authority.ts';
import { ApiError, badRequest, methodNotAllowed, unauthorized } from '#kube/meta/status.ts';
import { familyOf } from '#kube/meta/ip-ranges.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Store } from '#store/store.ts';
import { accessOf, forbidden } from './access.ts';
import type { OwnServer } from './admission/own-server.ts';
import { AdmissionChain } from './admission/chain.ts';
import { chargeQuotaBy, provideNamespace } from './admission/own-writes.ts';
import { AuthorizerChain, isAllowedNow, type NamedAuthorizer } from './authz/authorizer.ts';
import type { PluginSelection } from './admission/plugin-selection.ts';
import { namedAuthorizers } from './authz/chain.ts';
import type { AuthorizerSpec } from './authz/authorization-configuration.ts';
import type { AccessSetup, Authentication } from './access-flags.ts';
import { NodeAuthorizer } from './authz/node-authorizer.ts';
import { NodeRelations } from './authz/node-relations.ts';
import { Aggregation } from './aggregation/aggregation.ts';
import { isAvailable } from './aggregation/availability.ts';
import { passOn, UNAVAILABLE } from './aggregation/pass-on.ts';
import { passUpgrade, plainError, refuse } from './aggregation/proxy.ts';
import { auditIdOf, followAnswer, type Audit } from './audit/audit.ts';
import { Authenticator, type RequestHeaderTrust } from './authentication.ts';
import type { TokenSource } from './authn/token-source.ts';
import { endWithStatus, sendStatus, type Exchange } from './bodies.ts';
import { ServiceAddresses } from './cluster-ips.ts';
import { Definitions } from './crd/definitions.ts';
import { internal, isStackOverflow, unknownResource } from './faults.ts';
import { FlowControl, TooManyRequests } from './flow-control/flow-control.ts';
import { impersonate, wantedUser } from './impersonation.ts';
import type { KubeletClient } from './kubelet-proxy.ts';
import { adoptEarlierKeys } from './key-layout.ts';
import { negotiateOrRefuse, offeredFor } from './negotiation.ts';
import { isProxied, NodeProxy } from './node-proxy.ts';
import { Health, type HealthOptions, type Stage } from './health.ts';
import { identityName } from './identity-name.ts';
import { LongRequests } from './long-requests.ts';
import { socketOf } from './request-socket.ts';
import { build, pathOfNothing, PublicPaths } from './public-paths.ts';
import { checkRoute, reviewResources } from './routes.ts';
import { AuthorizationMetrics } from './metrics/authorization-metrics.ts';
import { internalMetrics, type InternalMetrics } from './metrics/internals.ts';
import { AllocationMetrics } from './metrics/allocations.ts';
import { ObjectCounts } from './metrics/object-counts.ts';
import { measureRequest } from './metrics/measure-request.ts';
import type { LabelLimits } from './metrics/label-limits.ts';
import { ReloadCounts } from './metrics/reload-counts.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { authorizationResult, buildInfo, ServerMetrics } from './metrics/server-metrics.ts';
import type { EscalationServices } from './authz/escalation.ts';
import { extraValidation } from './extra-validation.ts';
import { RbacAuthorizer, rulesFor, type AccessRequest } from './rbac.ts';
import type { ComponentOptions } from './component-statuses.ts';
import { Reads } from './reads.ts';
import { parseRequest, type RequestInfo, isLongRunning, takesLong } from './request-info.ts';
import { ClientTimeout, sendClientTimeout } from './request-deadline.ts';
import { timeoutFault } from './request-options.ts';
import { Resources, type WriteContext } from './resources.ts';
import { RoleCache } from './role-cache.ts';
import { timestamp } from './strategies.ts';
import { newUse } from './legacy-tokens.ts';
import { noteTokenUse, tellTokenUse } from './token-use.ts';
import type { TokenAuthority } from './tokens.ts';
import type { UserInfo } from './user.ts';
import { answerByMessages } from './websocket-response.ts';
import { writeContextOf } from './write-context.ts';
import { Writes } from './writes.ts';

export interface HandlerOptions {
  readonly store: Store;
  readonly registry: TypeRegistry;
  readonly tokens: TokenAuthority;
  readonly serviceCidrs: readonly string[];
  readonly kubelet: KubeletClient;
  readonly access?: AccessSetup | undefined;
  readonly admin?: TokenSource | undefined;
  /** How webhooks are called that this server serves itself. */
  readonly ownServer?: OwnServer | undefined;
  /** Absent: those of upstream's default. */
  readonly plugins?: PluginSelection | undefined;
  readonly audit?: Audit | undefined;
  /** By which extension servers know this one. */
  readonly frontProxy?: KeyPair | undefined;
  readonly requestHeader?: (() => RequestHeaderTrust) | undefined;
  /** Requests that are carried out at once. */
  readonly inflightMax?: number | undefined;
  readonly internals?: InternalMetrics | undefined;
  readonly isCertificateValid?: HealthOptions['isCertificateValid'];
  readonly checkKeyPlugins?: HealthOptions['checkKeyPlugins'];
  /** What /flagz shows. */
  readonly flags?: Readonly<Record<string, string>> | undefined;
  readonly runsHere?: ComponentOptions['runsHere'];
  readonly labels?: LabelLimits | undefined;
}

/** Upstream's defaults: 400 that read, 200 that write. */
const INFLIGHT_MAX = 600;

export interface Upgrading {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export class Handler {
  readonly registry: TypeRegistry;
  readonly resources: Resources;
  readonly addresses: ServiceAddresses;
  readonly #options: HandlerOptions;
  readonly #env: Env;
  readonly #authenticator: Authenticator;
  readonly #public: PublicPaths;
  readonly #health: Health;
  readonly #metrics = new RequestMetrics();
  readonly #server: ServerMetrics;
  readonly #internals: InternalMetrics;
  #isLoaded = false;
  readonly #admission: AdmissionChain;
  readonly #definitions: Definitions;
  readonly #aggregation: Aggregation;
  readonly #flows: FlowControl;
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #long = new LongRequests();
  readonly #nodes: NodeProxy;
  #roles: RoleCache | undefined;
  readonly #relations = new NodeRelations();
  readonly #authorizer: AuthorizerChain;
  readonly #decisions = new AuthorizationMetrics();
  /** Of configurations of access that are read again. */
  readonly reloads: Readonly<Record<'authentication' | 'authorization', ReloadCounts>>;

  constructor(options: HandlerOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.#internals = options.internals ?? internalMetrics(env);
    this.#server = new ServerMetrics(buildInfo(build), env.clock.now());
    this.registry = options.registry;
    const { store, registry, serviceCidrs } = options;
    this.resources = new Resources(
      {
        store,
        registry,
        extraValidation: extraValidation({
          escalation: () => this.#escalation(),
          lookup: () => this.resources,
          now: () => env.clock.now(),
        }),
        allocation: () => this.addresses,
        admission: () => this.#admission,
      },
      env,
    );
    this.addresses = new ServiceAddresses(this.resources, serviceCidrs);
    this.#admission = new AdmissionChain(
      {
        lookup: this.resources,
        registry,
        authorize: (access) => this.#authorizer.authorize(access),
        isAllowed: (access) => isAllowedNow(this.#authorizer, access),
        uuid: () => env.random.uuid(),
        random: () => env.random.next(),
        now: () => env.clock.now(),
        provideNamespace: (name) => provideNamespace(this.resources, registry, name),
        podSecurity: this.#internals.podSecurity,
        ownServer: options.ownServer,
      },
      {
        chargeQuota: chargeQuotaBy(this.resources, registry),
        env,
        times: this.#internals.admission,
        onManifests: (plugin, hash) => this.#internals.manifests.loaded(plugin, hash),
      },
      options.plugins,
    );
    this.#authorizer = new AuthorizerChain(this.#authorizers(options.access?.authorizers));
    const pair = options.frontProxy ?? { cert: '', key: '' };
    const { resources } = this;
    const reads = (): Reads => this.#reads;
    this.#definitions = new Definitions({ store, registry, resources, reads }, env);
    this.#aggregation = new Aggregation({ store, registry, resources, pair }, env);
    const inflightMax = options.inflightMax ?? INFLIGHT_MAX;
    const watchersOf = (info: RequestInfo): number => {
      const of = registry.byResource(info.group, info.version, info.resource);
      return of === undefined ? 0 : this.#reads.watchers(of, info.namespace);
    };
    this.#flows = new FlowControl({ store, registry, resources, inflightMax, watchersOf }, env);
    this.#authenticator = new Authenticator({
      tokens: options.tokens,
      lookup: (resource, namespace, name) => this.resources.get('', resource, namespace, name),
      now: () => env.clock.now(),
      requestHeader: options.requestHeader,
      authentication: options.access?.authentication,
      admin: options.admin,
      onUse: noteTokenUse(this, this.#server, env.log),
      onCertificate: (endsMs) => this.#server.certificate((endsMs - env.clock.now()) / 1_000),
    });
    const { tokens } = options;
    const id = identityName(hostname());
    const counts = (what: 'authentication' | 'authorization'): ReloadCounts =>
      new ReloadCounts(what, id, () => env.clock.now());
    this.reloads = {
      authentication: counts('authentication'),
      authorization: counts('authorization'),
    };
    const issuers = [options.access?.issuers ?? []].flat();
    this.#health = new Health({ ...options, isSynced: () => this.#isLoaded }, env);
    this.#public = new PublicPaths(
      {
        registry,
        tokens,
        health: this.#health,
        metrics: this.#metrics,
        server: this.#server,
        internals: this.#internals,
        objects: new ObjectCounts(store, registry, () => env.clock.monotonicMs()),
        allocations: new AllocationMetrics(
          () => this.resources.listReadable('', 'services'),
          serviceCidrs,
          () => env.clock.monotonicMs(),
        ),
        aggregation: this.#aggregation,
        flows: this.#flows,
        startedMs: env.clock.now(),
        labels: options.labels,
        access: [this.#decisions, ...Object.values(this.reloads), ...issuers],
        flags: options.flags ?? {},
      },
      env,
    );
    const told = { runsHere: options.runsHere, listener: this.#internals };
    this.#reads = new Reads(store, this.resources, told, env);
    const services = {
      tokens: options.tokens,
      definitions: this.#definitions,
      authenticator: this.#authenticator,
      authorizer: this.#authorizer,
      signing: this.#internals.signing,
    };
    this.#writes = new Writes(this.resources, this.#reads, services, env);
    const family = familyOf(serviceCidrs[0] ?? '');
    const preference = { random: () => env.random.next(), family };
    this.#nodes = new NodeProxy(options.kubelet, this.resources, preference, this.#authorizer);
  }

  /** Before anything else is read or written. */
  async adoptEarlierKeys(): Promise<void> {
    await adoptEarlierKeys(this.#options.store, this.registry.all());
  }

  #authorizers(specs: readonly AuthorizerSpec[] | undefined): NamedAuthorizer[] {
    const own = {
      node: new NodeAuthorizer(this.#relations.graph),
      rbac: new RbacAuthorizer(() => this.#roles),
    };
    return namedAuthorizers(specs, own, { metrics: this.#decisions, env: this.#env });
  }

  brokenHandshake(): void {
    this.#server.brokenHandshake();
  }

  /** Of the start: what is made before anybody is served. */
  reached(stage: Stage): void {
    this.#health.reached(stage);
  }

  useAuthentication(authentication: Authentication): void {
    this.#authenticator.use(authentication);
  }

  useAuthorizers(specs: readonly AuthorizerSpec[]): void {
    this.#authorizer.use(this.#authorizers(specs));
  }

  async loadDefinitions(): Promise<void> {
    this.#roles = await RoleCache.start(this.#options.store, this.#env.log);
    await this.#relations.start(this.#options.store, this.#env.log);
    this.#health.reached('caches');
    await this.#admission.start(this.#options.store);
    this.#health.reached('admission');
    await this.#definitions.start();
    this.#health.reached('definitions');
    await this.#aggregation.start();
    this.#health.reached('aggregation');
    await this.#flows.start();
    this.#health.reached('flows');
    this.#isLoaded = true;
  }

  /** As in objects: RFC 3339, whole seconds. */
  now(): string {
    return timestamp(this.#env.clock.now());
  }

  get log(): Log {
    return this.#env.log;
  }

  setAddress(host: string, port: number): void {
    this.#public.setAddress(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
  }

  /** It says so from now on, and serves. */
  notReady(): void {
    this.#health.end();
  }

  /** What has an end of its own is still answered. */
  async endLong(watchGraceMs = 0): Promise<void> {
    await this.#reads.endAllWatches(watchGraceMs);
    this.#long.end();
  }

  close(): void {
    this.#admission.close();
    this.#definitions.close();
    this.#aggregation.close();
    this.#flows.close();
    this.#reads.close();
    this.#roles?.close();
    this.#relations.close();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = auditIdOf(request);
    const receivedMs = this.#env.clock.monotonicMs();
    const exchange: Exchange = { request, response, receivedMs, headers: { 'Audit-Id': id } };
    response.on('error', () => {});
    try {
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      this.#measure(exchange, info);
      if (takesLong(info)) this.#long.add(response);
      const fault = takesLong(info) ? undefined : timeoutFault(info.query);
      if (fault !== undefined) throw this.#refused(request, info, id, fault);
      const user = await this.#identify(exchange, info, id).finally(() =>
        followAnswer(exchange, takesLong(info)),
      );
      if (isLongRunning(info)) return await this.#serve(exchange, info, user);
      const flow = this.#flows.flowOf(user, info);
      exchange.headers = { ...exchange.headers, ...flow.headers };
      const taken = this.#flows.take(flow, { user, info }, (giveUp) =>
        response.once('close', giveUp),
      );
      const seat = taken instanceof Promise ? await taken : taken;
      let isTaken = true;
      const leave = (): void => {
        if (isTaken) this.#flows.finish(seat);
        isTaken = false;
      };
      exchange.onStarted = leave;
      try {
        await this.#serve(exchange, info, user);
      } finally {
        leave();
      }
    } catch (error) {
      this.#answerError(exchange, error);
    }
  }

  async #serve(exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<void> {
    await this.#authorize(exchange, accessOf(info, user));
    const remote = this.#aggregation.remoteOf(info.path);
    if (remote !== undefined) {
      // From now on a watch is under way over there.
      if (info.verb === 'watch') exchange.onStarted?.();
      return await passOn(exchange, remote, user);
    }
    if (!info.isResource) return await this.#public.handle(exchange, info, user);
    await this.#resource(exchange, info, user);
  }

  /** Exec, attach, port-forward, reads by websocket; an error before the upgrade is a plain answer, with `always`. */
  async handleUpgrade(
    { request, socket, head }: Upgrading,
    always: Readonly<Record<string, string>>,
  ): Promise<void> {
    const id = auditIdOf(request);
    socket.on('error', () => {});
    const exchange: Pick<Exchange, 'request' | 'audit' | 'headers'> = { request };
    socket.once('close', () => exchange.audit?.complete());
    try {
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      const remote = this.#aggregation.remoteOf(info.path);
      const messages = remote ? undefined : answerByMessages(info, { request, socket, head });
      if (messages !== undefined) return await this.handle(request, messages);
      const user = await this.#identify(exchange, info, id);
      await this.#authorize(exchange, accessOf(info, user));
      if (remote !== undefined) {
        if (!isAvailable(remote.service)) return refuse(socket, 503, UNAVAILABLE);
        return await passUpgrade({ request, socket, head }, { ...remote, user });
      }
      const resource = this.registry.byResource(info.group, info.version, info.resource);
      if (resource === undefined) throw unknownResource();
      const context = this.#context(exchange, info, resource, user);
      await this.#nodes.upgrade(info, context, { request, socket, head });
      exchange.audit?.started(101);
    } catch (error) {
      const status = error instanceof ApiError ? error.toStatus() : internal(error).toStatus();
      exchange.audit?.answered(status.code, () => status);
      endWithStatus(socket, status, { ...always, ...exchange.headers, 'Audit-Id': id });
    }
  }

  #measure(exchange: Exchange, info: RequestInfo): void {
    const isKnown = this.registry.byResource(info.group, info.version, info.resource) !== undefined;
    const now = (): number => this.#env.clock.monotonicMs();
    const to = { requests: this.#metrics, internals: this.#internals, now };
    measureRequest(exchange, { info, isKnown }, to);
  }

  #answerError(exchange: Exchange, error: unknown): void {
    if (error instanceof ApiError) return sendStatus(exchange, error.toStatus());
    if (error instanceof ClientTimeout) return sendClientTimeout(exchange);
    if (error instanceof TooManyRequests) {
      const headers = { ...exchange.headers, 'Retry-After': String(error.retryAfterSeconds) };
      return plainError(exchange.response, 429, error.message, headers);
    }
    // What is nested deeper than anybody can follow has changed nothing.
    if (isStackOverflow(error) && !exchange.response.headersSent) {
      return sendStatus(exchange, badRequest('the request is nested too deeply').toStatus());
    }
    this.#env.log.error('A request failed', { url: exchange.request.url, error });
    if (exchange.response.headersSent) exchange.response.destroy();
    else sendStatus(exchange, internal(error).toStatus());
  }

  /** What roles give, for those who want to give it on. */
  #escalation(): EscalationServices {
    const roles = this.#roles;
    return {
      authorizer: this.#authorizer,
      rulesFor: (user, namespace) => (roles === undefined ? [] : rulesFor(roles, user, namespace)),
      role: (namespace, kind, name) =>
        kind === 'ClusterRole' ? roles?.clusterRole(name) : roles?.role(namespace ?? '', name),
    };
  }

  /** For what is refused before it is known who asks. */
  #refused(request: IncomingMessage, info: RequestInfo, id: string, error: ApiError): ApiError {
    const origin = { id, remote: socketOf(request).remoteAddress };
    this.#options.audit?.refused(request, accessOf(info, nobody), origin, error.toStatus());
    return error;
  }

  /** Who asks, or as whom; from then on the request is written down. */
  async #identify(
    exchange: Pick<Exchange, 'request' | 'audit' | 'headers' | 'warnings'>,
    info: RequestInfo,
    id: string,
  ): Promise<UserInfo> {
    const { request } = exchange;
    const socket = socketOf(request);
    const { audit } = this.#options;
    const origin = { id, remote: socket.remoteAddress };
    let real: UserInfo;
    const use = newUse();
    try {
      real = await this.#internals.authentication(() =>
        this.#authenticator.authenticate(request, socket, use),
      );
      this.#server.authenticated(real.name);
    } catch (error) {
      this.#server.unauthenticated();
      this.#refused(request, info, id, unauthorized());
      throw error;
    }
    exchange.audit = audit?.begin(request, accessOf(info, real), origin);
    tellTokenUse(use, exchange);
    exchange.audit?.received();
    if (exchange.audit !== undefined) this.#server.audited();
    const { headers = {} } = exchange;
    exchange.headers = { ...headers, ...refusedHeaders };
    const wanted = wantedUser(request.rawHeaders);
    const authorize = (access: AccessRequest) => this.#authorizer.authorize(access);
    const acting =
      wanted === undefined ? undefined : await impersonate(authorize, accessOf(info, real), wanted);
    exchange.headers = headers;
    if (acting === undefined) return real;
    exchange.audit?.impersonated(acting.user, acting.constraint);
    return acting.user;
  }

  /** Throws ApiError 403. A request without credentials is refused for what is not public. */
  async #authorize(
    exchange: Pick<Exchange, 'audit' | 'headers'>,
    access: AccessRequest,
  ): Promise<void> {
    const { audit } = exchange;
    const { kind, reason } = await this.#internals.authorization(
      () => this.#authorizer.authorize(access),
      ({ kind: how }) => authorizationResult(how),
    );
    this.#server.authorized(kind);
    if (audit !== undefined) {
      const decision = kind === 'allow' ? 'allow' : 'forbid';
      audit.annotations['authorization.k8s.io/decision'] = decision;
      audit.annotations['authorization.k8s.io/reason'] = reason;
    }
    if (kind === 'allow') return;
    exchange.headers = { ...exchange.headers, ...refusedHeaders };
    throw forbidden(access, reason);
  }

  async #resource(exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<void> {
    const resource = this.registry.byResource(info.group, info.version, info.resource);
    if (resource === undefined) return this.#notServed(exchange, info);
    if (exchange.request.method === 'HEAD' && info.subresource !== 'proxy')
      throw methodNotAllowed();
    checkRoute(info, resource);
    const isWarned = resource.deprecation !== undefined;
    if (!isProxied(info))
      exchange.accepted = negotiateOrRefuse(
        exchange.request,
        offeredFor(resource, info.verb, info.subresource),
      );
    if (isWarned) {
      exchange.warnings = [...(exchange.warnings ?? []), resource.deprecation ?? ''];
      this.#server.deprecated(info);
      if (exchange.audit !== undefined) exchange.audit.annotations['k8s.io/deprecated'] = 'true';
    }
    if (reviewResources.has(info.resource)) {
      if (this.#roles === undefined) throw unknownResource();
      const context = this.#context(exchange, info, resource, user);
      return await this.#writes.review(exchange, context);
    }
    if (isProxied(info)) {
      const context = this.#context(exchange, info, resource, user);
      return await this.#nodes.request(exchange, info, context);
    }
    switch (info.verb) {
      case 'get':
        return await this.#reads.get(exchange, info, resource);
      case 'list':
        return await this.#reads.list(exchange, info, resource);
      case 'watch':
        return await this.#reads.watch(exchange, info, resource);
      case 'create':
        return await this.#writes.create(
          exchange,
          info,
          this.#context(exchange, info, resource, user),
        );
      case 'update':
      case 'patch':
        return await this.#writes.change(
          exchange,
          info,
          this.#context(exchange, info, resource, user),
        );
      case 'delete':
      case 'deletecollection':
        return await this.#writes.delete(
          exchange,
          info,
          this.#context(exchange, info, resource, user),
        );
    }
  }

  /** Groups that nobody serves are paths of nothing; those of the server have a Status of their own. */
  #notServed(exchange: Exchange, { group }: RequestInfo): void {
    const isOwn = this.registry
      .all()
      .some((one) => one.group === group && one.customResourceDefinition === undefined);
    if (isOwn) throw unknownResource();
    pathOfNothing(exchange);
  }

  #context(
    exchange: Pick<Exchange, 'request' | 'audit' | 'warnings' | 'receivedMs'>,
    info: RequestInfo,
    resource: ResourceInfo,
    user: UserInfo,
  ): WriteContext {
    const now = (): number => this.#env.clock.monotonicMs();
    return writeContextOf(exchange, { info, resource, user, now });
  }
}

const refusedHeaders = { 'X-Content-Type-Options': 'nosniff' };

/** Whoever could not be told. */
const nobody: UserInfo = { name: '', uid: '', groups: [], extra: {} };
