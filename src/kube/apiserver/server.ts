// The API server of an instance: one TLS port with HTTP/2, HTTP/1.1 and upgrades; every request is
// authenticated, authorized, and handed to the one path of its verb (handler.ts).
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { Fault } from '#base/fault.ts';
import { atMost } from '#env/at-most.ts';
import type { Env } from '#env/env.ts';
import { OpenConnections } from '#http2/open-connections.ts';
import { createHttpServer } from '#http2/server.ts';
import { Authority, kubeconfig, type KeyPair } from '#kube/pki/authority.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import { startCompaction } from '#store/compaction.ts';
import type { Store } from '#store/store.ts';
import { advertisedAddress } from './advertised-address.ts';
import { authenticationOf } from './access-flags.ts';
import { authorizersOf } from './authorization-flags.ts';
import type { AccessFlags } from './flag-values.ts';
import { watchAccess } from './access-reload.ts';
import { OwnServer } from './admission/own-server.ts';
import { pluginSelection } from './admission/plugin-selection.ts';
import { Audit } from './audit/audit.ts';
import type { RequestHeaderTrust } from './authentication.ts';
import { StaticTokens } from './authn/static-tokens.ts';
import { bootstrap, publishAuthentication, unlessRefused } from './bootstrap.ts';
import { DefaultObjects, DefaultObjectsLoop } from './default-objects.ts';
import { ClientAuthorities } from './client-authorities.ts';
import type { ComponentOptions } from './component-statuses.ts';
import { EndpointLeases } from './endpoint-leases.ts';
import { ownAddress, serviceRanges } from './cidr.ts';
import { Handler } from './handler.ts';
import { IdentityLease } from './identity-lease.ts';
import { identityName } from './identity-name.ts';
import { internalMetrics } from './metrics/internals.ts';
import { LabelLimits } from './metrics/label-limits.ts';
import { kindsOf, MeasuredStore } from './metrics/measured-store.ts';
import { IssuerMetrics } from './metrics/issuer-metrics.ts';
import { endSettings, RetryGate } from './server-end.ts';
import { ServingCertificate } from './serving-certificate.ts';
import { shownFlags } from './shown-flags.ts';
import { strictTransport, tlsSettings } from './tls-settings.ts';
import { undiscoverable } from './token-settings.ts';
import { TokenAuthority } from './tokens.ts';
import { authenticated } from './user.ts';

export interface ApiServerOptions {
  readonly instance: string;
  /** DIR/kube/<instance> */
  readonly home: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly store: Store;
  readonly registry: TypeRegistry;
  /** As --service-cluster-ip-range has it: a range, or one of each family after the other. */
  readonly serviceCidr: string;
  /** Further names that clients may know this server by. */
  readonly names?: readonly string[] | undefined;
  /** Another proxy than this server itself that may speak for users. */
  readonly requestHeader?: RequestHeaderTrust | undefined;
  /** Requests that are carried out at once; see flow-control. */
  readonly inflightMax?: number | undefined;
  /** Of kube-apiserver, by which access is configured. */
  readonly flags?: AccessFlags | undefined;
  /** How long the server's end waits for requests that are under way; absent: as long as any may take. */
  readonly endMsMax?: number | undefined;
  /** Called when a client begins to connect. */
  readonly onConnection?: (() => void) | undefined;
  /** Which other components are of this process; of those that are not, whoever listens is asked. */
  readonly runsHere?: ComponentOptions['runsHere'];
  /** Throws what plugins that keep keys of the store lack; absent: the store is not encrypted. */
  readonly checkKeyPlugins?: (() => Promise<void>) | undefined;
  /** Further flags of kube-apiserver that hold, as /flagz shows them. */
  readonly shown?: Readonly<Record<string, string>> | undefined;
}

export interface ApiServer {
  readonly url: string;
  readonly authority: Authority;
  /** Takes requests of components in this process, too: see bin/local-transport.ts. */
  readonly handler: Pick<Handler, 'handle'>;
  /** What is under way is answered, watches end, and nothing new is taken. */
  close(): Promise<void>;
}

/** Of upstream: --request-timeout, which its end waits for, too. */
const REQUEST_MS_MAX = 60_000;
/** For clients to take note and close their side. */
const LINGER_MS_MAX = 250;

function writePrivate(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** Not what stands for every address. */
const isCertified = (ip: string): boolean => ip !== '0.0.0.0' && ip !== '::';

const ADMIN = 'kubernetes-admin';
const ADMIN_TOKEN_BYTES = 32;

/**
 * A token, because every client can read one: fabric8's (of Spark and Jenkins) reads keys of RSA only, and to sign with
 * one of these takes whoever asks, kubectl for each command, three milliseconds. Who removes the file withdraws it.
 */
function adminToken(home: string): string {
  const path = join(home, 'pki', `${ADMIN}.token`);
  const kept = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  if (kept !== '') return kept;
  const token = randomBytes(ADMIN_TOKEN_BYTES).toString('base64url');
  writePrivate(path, token);
  return token;
}

const FRONT_PROXY = 'front-proxy-client';

/** By what extension servers know that a request comes from this server: an authority of its own. */
async function openFrontProxy(
  home: string,
  now: number,
): Promise<{ pair: KeyPair; trust: RequestHeaderTrust }> {
  const folder = join(home, 'pki', 'front-proxy');
  const authority = await Authority.open(folder, now, 'strata-front-proxy-ca');
  const identity = { commonName: FRONT_PROXY, organizations: [] };
  const pair = await authority.kept('client', () => authority.issueClient(identity, now), now);
  return { pair, trust: { caCert: authority.caCert, allowedNames: [FRONT_PROXY] } };
}

export async function startApiServer(options: ApiServerOptions, env: Env): Promise<ApiServer> {
  const { home, listen, registry, serviceCidr, instance } = options;
  const clockMs = (): number => env.clock.monotonicMs();
  const internals = internalMetrics(env);
  const kindOf = kindsOf(registry.all());
  const store = new MeasuredStore(options.store, internals, { kindOf, now: clockMs });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const now = env.clock.now();
  const authority = await Authority.open(join(home, 'pki'), now);
  const token = adminToken(home);
  const tls = tlsSettings(options.flags ?? {});
  const strict = strictTransport(options.flags ?? {});
  const always = strict === undefined ? {} : { 'Strict-Transport-Security': strict };
  const end = endSettings(options.flags ?? {});
  const gate = end.tellsRetry ? new RetryGate() : undefined;
  const tokens = await TokenAuthority.connect(join(home, 'pki'), options.flags ?? {}, env);
  const cidrs = serviceRanges(serviceCidr);
  // Of both: the server's service keeps its address when the order changes.
  const serviceIps = cidrs.map(ownAddress);
  const flags = options.flags ?? {};
  const advertised = advertisedAddress(flags, listen.host, cidrs);
  const ips = [...new Set(['127.0.0.1', listen.host, advertised, ...serviceIps])].filter(
    isCertified,
  );
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    ...(options.names ?? []),
  ];
  const identity = { commonName: 'kube-apiserver', names, ips };
  const serving = await ServingCertificate.open(authority, identity, env);
  const kubeletIdentity = {
    commonName: 'kube-apiserver-kubelet-client',
    organizations: ['system:masters'],
  };
  const kubelet = await authority.kept(
    'kubelet-client',
    () => authority.issueClient(kubeletIdentity, now),
    now,
  );
  const front = await openFrontProxy(home, now);
  const proxy = options.requestHeader ?? front.trust;
  const authorities = new ClientAuthorities({ clients: authority.caCert, proxy }, flags);
  const issuers = new IssuerMetrics(identityName(hostname()), () => env.clock.now());
  const access = {
    issuers,
    authentication: authenticationOf(flags, env, issuers),
    authorizers: authorizersOf(flags),
  };
  const ownServer = new OwnServer(authority.caCert);
  const admin = { token, user: authenticated(ADMIN, ['system:masters']) };
  const audit = Audit.of(flags, env);
  const handler = new Handler(
    {
      access,
      admin: new StaticTokens([admin, ownServer.token]),
      ownServer,
      plugins: pluginSelection(flags),
      audit,
      store,
      registry,
      tokens,
      serviceCidrs: cidrs,
      kubelet: { caCert: authority.caCert, pair: kubelet },
      frontProxy: front.pair,
      requestHeader: () => authorities.requestHeader,
      inflightMax: options.inflightMax,
      internals,
      runsHere: options.runsHere,
      labels: LabelLimits.of(flags),
      isCertificateValid: () => serving.isValid,
      checkKeyPlugins: options.checkKeyPlugins,
      flags: {
        'bind-address': listen.host,
        'secure-port': String(listen.port),
        'service-cluster-ip-range': serviceCidr,
        ...shownFlags(flags),
        'service-account-issuer': `[${tokens.settings.issuers.join(',')}]`,
        ...options.shown,
      },
    },
    env,
  );
  const defaults = new DefaultObjects(handler, cidrs, env);
  await bootstrap(handler, () => defaults.ensure());
  const publish = (): Promise<void> =>
    publishAuthentication(handler, {
      clientCa: authorities.clients,
      requestHeader: authorities.requestHeader,
    });
  let isPublished = await unlessRefused(publish, (error) =>
    env.log.warn('Cannot publish the authorities of clients', { error }),
  );
  handler.reached('authentication');
  const hidden = undiscoverable(tokens.issuer);
  if (hidden !== undefined)
    env.log.error('The documents of the issuer are not served', { why: hidden });
  const open = new OpenConnections();
  const server = createHttpServer({
    open,
    tls: {
      ...serving.pair,
      ...tls,
      ca: authorities.all,
      requestCert: true,
      rejectUnauthorized: false,
    },
    streamsMax: 1_000,
    handle: async (request, response) => {
      if (gate?.enters(request, response) === false) return;
      for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
      return handler.handle(request, response);
    },
  });
  const setContext = (pair: KeyPair): void =>
    server.setSecureContext({ ...pair, ca: authorities.all, ...tls });
  serving.watch(setContext);
  authorities.watch(async () => {
    setContext(serving.pair);
    await publish();
    env.log.info('Authorities of clients have been taken up');
  }, env);
  // Connections of both HTTP versions, upgraded ones included: at the end those that are left are cut.
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: TLSSocket, head: Buffer) => {
    if (gate?.entersUpgrade(request, socket) === false) return;
    void handler.handleUpgrade({ request, socket, head }, always);
  });
  server.on('tlsClientError', () => handler.brokenHandshake());
  if (options.onConnection !== undefined) server.on('connection', options.onConnection);
  const port = await listenOn(server, listen);
  handler.setAddress(advertised, port);
  const reachable = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host;
  ownServer.listens({ host: reachable, port });
  const place = { host: advertised, port };
  const endpoints = await EndpointLeases.start(handler, store, place, env);
  const identityLease = await IdentityLease.start(handler, `${advertised}:${port}`, env);
  handler.reached('identity');
  const defaultsLoop = new DefaultObjectsLoop(async () => {
    await defaults.ensure();
    if (!isPublished) await publish();
    isPublished = true;
  }, env);
  const compaction = startCompaction(store, env);
  const endReload = watchAccess({ flags, started: access }, handler, env);
  const url = `https://${reachable}:${port}`;
  const file = kubeconfig({
    server: url,
    caCert: authority.caCert,
    token,
    user: ADMIN,
    cluster: instance,
  });
  writePrivate(join(home, 'kubeconfig'), `${JSON.stringify(file, null, 2)}\n`);
  env.log.info('API server is ready', { url });
  return {
    url,
    authority,
    handler,
    async close() {
      handler.notReady();
      const { endMsMax = REQUEST_MS_MAX + end.delayMs } = options;
      const untilMs = clockMs() + endMsMax;
      if (end.delayMs > 0) {
        // Nobody in the cluster is sent here any more.
        await endpoints.close();
        await new Promise<void>((done) => env.timers.after(Math.min(end.delayMs, endMsMax), done));
      }
      const left = (): number => Math.max(0, untilMs - clockMs());
      if (gate !== undefined) {
        const empty = gate.shut();
        const ended = handler.endLong(end.watchGraceMs);
        await atMost(left(), Promise.all([ended, empty]), env.timers);
      }
      const closed = new Promise((done) => server.close(done));
      const answered = open.end();
      const ended = handler.endLong(gate === undefined ? end.watchGraceMs : 0);
      endReload();
      compaction.close();
      await defaultsLoop.close();
      await identityLease.close();
      await endpoints.close();
      await atMost(left(), Promise.all([ended, answered]), env.timers);
      serving.close();
      authorities.close();
      handler.close();
      await atMost(LINGER_MS_MAX, closed, env.timers);
      for (const socket of sockets) socket.destroy();
      await closed;
      tokens.keys.close();
      await audit?.close();
    },
  };
}

function listenOn(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((done, fail) => {
    server.once('error', (error) =>
      fail(
        new Fault({ code: 'listen', host, port }, `Cannot listen on ${host}:${port}`, {
          cause: error,
        }),
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      done(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
