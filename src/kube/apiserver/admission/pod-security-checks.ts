// The pod security standards: each check with the version that it came in, and what it says of a pod that
// fails it (k8s.io/pod-security-admission v0.37).
import type { Json } from './request.ts';

export interface Finding {
  readonly reason: string;
  readonly detail: string;
}

interface Subject {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Json;
  readonly containers: readonly Json[];
  /** Minor version of the policy. */
  readonly minor: number;
}

interface Check {
  readonly id: string;
  readonly isRestricted: boolean;
  readonly since?: number;
  /** Checks of the baseline that this one stands for. */
  readonly overrides?: readonly string[];
  readonly run: (subject: Subject) => Finding | undefined;
}

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const record = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);
const quoted = (names: readonly string[]): string =>
  names.map((one) => JSON.stringify(one)).join(', ');
const sorted = (names: Iterable<string>): string[] => [...new Set(names)].toSorted();
const security = (one: Json): Json => record(one['securityContext']);
const nameOf = (one: Json): string => String(one['name'] ?? '');
const isWindows = ({ spec }: Subject): boolean => record(spec['os'])['name'] === 'windows';
const hasOwnUsers = ({ spec }: Subject): boolean => spec['hostUsers'] === false;

function containersText(names: readonly string[]): string {
  return `${plural('container', names.length)} ${quoted(names)}`;
}

/** Pod and containers that set something bad: `pod and container "a"`. */
function setters(isPodBad: boolean, bad: readonly string[]): string {
  const all = [...(isPodBad ? ['pod'] : []), ...(bad.length > 0 ? [containersText(bad)] : [])];
  return all.join(' and ');
}

const finding = (reason: string, detail: string): Finding => ({ reason, detail });

function badOf(subject: Subject, isBad: (container: Json) => boolean): string[] {
  return subject.containers.filter(isBad).map(nameOf);
}

const okProfile = (type: unknown): boolean => type === 'RuntimeDefault' || type === 'Localhost';

function appArmor(subject: Subject): Finding | undefined {
  const typeOf = (one: Json): unknown => record(security(one)['appArmorProfile'])['type'];
  const podType = typeOf(subject.spec);
  const isPodBad = podType !== undefined && !okProfile(podType);
  const isBad = (one: Json): boolean => typeOf(one) !== undefined && !okProfile(typeOf(one));
  const bad = subject.containers.filter(isBad);
  const prefix = 'container.apparmor.security.beta.kubernetes.io/';
  const isAllowed = (value: string): boolean =>
    value === '' || value === 'runtime/default' || value.startsWith('localhost/');
  const annotations = Object.entries(subject.annotations)
    .filter(([key, value]) => key.startsWith(prefix) && !isAllowed(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  const types = [...(isPodBad ? [String(podType)] : []), ...bad.map((one) => String(typeOf(one)))];
  const values = [...sorted(types), ...annotations];
  if (values.length === 0) return undefined;
  const who = [
    ...(isPodBad || bad.length > 0 ? [setters(isPodBad, bad.map(nameOf))] : []),
    ...(annotations.length > 0 ? [plural('annotation', annotations.length)] : []),
  ];
  const reason = `forbidden AppArmor ${plural('profile', values.length)}`;
  return finding(
    reason,
    `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  );
}

const baselineCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);

const capabilitiesOf = (one: Json, which: 'add' | 'drop'): string[] =>
  list(record(security(one)['capabilities'])[which]) as unknown as string[];

function capabilitiesBaseline(subject: Subject): Finding | undefined {
  const isExtra = (name: string): boolean => !baselineCapabilities.has(name);
  const bad = subject.containers.filter((one) => capabilitiesOf(one, 'add').some(isExtra));
  if (bad.length === 0) return undefined;
  const names = sorted(bad.flatMap((one) => capabilitiesOf(one, 'add').filter(isExtra)));
  const detail = `${containersText(bad.map(nameOf))} must not include ${quoted(names)} in securityContext.capabilities.add`;
  return finding('non-default capabilities', detail);
}

function capabilitiesRestricted(subject: Subject): Finding | undefined {
  if (subject.minor >= 25 && isWindows(subject)) return undefined;
  const missing = badOf(subject, (one) => !capabilitiesOf(one, 'drop').includes('ALL'));
  const isExtra = (name: string): boolean => name !== 'NET_BIND_SERVICE';
  const adding = subject.containers.filter((one) => capabilitiesOf(one, 'add').some(isExtra));
  const details: string[] = [];
  if (missing.length > 0) {
    details.push(`${containersText(missing)} must set securityContext.capabilities.drop=["ALL"]`);
  }
  if (adding.length > 0) {
    const names = sorted(adding.flatMap((one) => capabilitiesOf(one, 'add').filter(isExtra)));
    const who = containersText(adding.map(nameOf));
    details.push(`${who} must not include ${quoted(names)} in securityContext.capabilities.add`);
  }
  return details.length === 0
    ? undefined
    : finding('unrestricted capabilities', details.join('; '));
}

function hostNamespaces({ spec }: Subject): Finding | undefined {
  const set = ['hostNetwork', 'hostPID', 'hostIPC'].filter((name) => spec[name] === true);
  return set.length === 0
    ? undefined
    : finding('host namespaces', set.map((one) => `${one}=true`).join(', '));
}

function hostPathVolumes({ spec }: Subject): Finding | undefined {
  const bad = list(spec['volumes'])
    .filter((one) => one['hostPath'] !== undefined)
    .map(nameOf);
  return bad.length === 0
    ? undefined
    : finding('hostPath volumes', `${plural('volume', bad.length)} ${quoted(bad)}`);
}

function hostPorts(subject: Subject): Finding | undefined {
  const portsOf = (one: Json): string[] =>
    list(one['ports'])
      .map((port) => port['hostPort'])
      .filter((port) => port !== undefined && port !== 0)
      .map(String);
  const bad = subject.containers.filter((one) => portsOf(one).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sorted(bad.flatMap(portsOf));
  const uses = bad.length === 1 ? 'uses' : 'use';
  const names = containersText(bad.map(nameOf));
  return finding(
    'hostPort',
    `${names} ${uses} ${plural('hostPort', ports.length)} ${ports.join(', ')}`,
  );
}

function probeHosts(subject: Subject): Finding | undefined {
  const hostsIn = (handler: unknown): string[] =>
    ['httpGet', 'tcpSocket']
      .map((key) => String(record(record(handler)[key])['host'] ?? ''))
      .filter((host) => host !== '');
  const hostsOf = (one: Json): string[] => {
    const lifecycle = record(one['lifecycle']);
    const handlers = [
      one['livenessProbe'],
      one['readinessProbe'],
      one['startupProbe'],
      lifecycle['postStart'],
      lifecycle['preStop'],
    ];
    return handlers.flatMap(hostsIn);
  };
  const bad = subject.containers.filter((one) => hostsOf(one).length > 0);
  if (bad.length === 0) return undefined;
  const hosts = sorted(bad.flatMap(hostsOf));
  const names = sorted(bad.map(nameOf));
  const uses = names.length === 1 ? 'uses' : 'use';
  const what = plural('probe or lifecycle host', hosts.length);
  return finding(
    'probe or lifecycle host',
    `${containersText(names)} ${uses} ${what} ${quoted(hosts)}`,
  );
}

function privileged(subject: Subject): Finding | undefined {
  const bad = badOf(subject, (one) => security(one)['privileged'] === true);
  if (bad.length === 0) return undefined;
  return finding(
    'privileged',
    `${containersText(bad)} must not set securityContext.privileged=true`,
  );
}

function procMount(subject: Subject): Finding | undefined {
  const typeOf = (one: Json): unknown => security(one)['procMount'];
  const bad = subject.containers.filter(
    (one) => typeOf(one) !== undefined && typeOf(one) !== 'Default',
  );
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((one) => String(typeOf(one))));
  const names = containersText(bad.map(nameOf));
  return finding(
    'procMount',
    `${names} must not set securityContext.procMount to ${quoted(types)}`,
  );
}

function seLinuxOptions(subject: Subject): Finding | undefined {
  const allowed = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
  if (subject.minor >= 31) allowed.push('container_engine_t');
  const optionsOf = (one: Json): Json => record(security(one)['seLinuxOptions']);
  const typeOf = (one: Json): string => String(optionsOf(one)['type'] ?? '');
  const has = (one: Json, key: string): boolean => Boolean(optionsOf(one)[key]);
  const isBad = (one: Json): boolean =>
    !allowed.includes(typeOf(one)) || has(one, 'user') || has(one, 'role');
  const bad = subject.containers.filter(isBad);
  const all = [...(isBad(subject.spec) ? [subject.spec] : []), ...bad];
  if (all.length === 0) return undefined;
  const types = sorted(all.map(typeOf).filter((type) => !allowed.includes(type)));
  const data: string[] = [];
  if (types.length > 0) data.push(`${plural('type', types.length)} ${quoted(types)}`);
  if (all.some((one) => has(one, 'user'))) data.push('user may not be set');
  if (all.some((one) => has(one, 'role'))) data.push('role may not be set');
  const who = setters(isBad(subject.spec), bad.map(nameOf));
  return finding(
    'seLinuxOptions',
    `${who} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
  );
}

const seccompOf = (one: Json): unknown => record(security(one)['seccompProfile'])['type'];

/** Before fields took their place, annotations said it. */
function seccompAnnotations({ annotations, containers }: Subject): Finding | undefined {
  const isAllowed = (value: string): boolean =>
    value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');
  const keys = [
    'seccomp.security.alpha.kubernetes.io/pod',
    ...containers.map((one) => `container.seccomp.security.alpha.kubernetes.io/${nameOf(one)}`),
  ];
  const bad = keys.flatMap((key) => {
    const value = annotations[key];
    return value === undefined || isAllowed(value) ? [] : [`${key}=${JSON.stringify(value)}`];
  });
  if (bad.length === 0) return undefined;
  const all = sorted(bad);
  const detail = `forbidden ${plural('annotation', all.length)} ${all.join(', ')}`;
  return finding('seccompProfile', detail);
}

function seccompSetters(subject: Subject): Finding | undefined {
  const isBad = (one: Json): boolean => seccompOf(one) !== undefined && !okProfile(seccompOf(one));
  const bad = subject.containers.filter(isBad);
  const all = [...(isBad(subject.spec) ? [subject.spec] : []), ...bad];
  if (all.length === 0) return undefined;
  const values = sorted(all.map((one) => String(seccompOf(one))));
  const who = setters(isBad(subject.spec), bad.map(nameOf));
  return finding(
    'seccompProfile',
    `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
  );
}

function seccompRestricted(subject: Subject): Finding | undefined {
  if (subject.minor >= 25 && isWindows(subject)) return undefined;
  const set = seccompSetters(subject);
  if (set !== undefined || okProfile(seccompOf(subject.spec))) return set;
  const bad = badOf(subject, (one) => seccompOf(one) === undefined);
  if (bad.length === 0) return undefined;
  const detail = `pod or ${containersText(bad)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`;
  return finding('seccompProfile', detail);
}

const sysctlsSince: readonly (readonly [number, string])[] = [
  [0, 'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies'],
  [0, 'net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start'],
  [27, 'net.ipv4.ip_local_reserved_ports'],
  [29, 'net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl'],
  [29, 'net.ipv4.tcp_keepalive_probes'],
  [32, 'net.ipv4.tcp_rmem net.ipv4.tcp_wmem'],
  [37, 'net.ipv4.tcp_slow_start_after_idle net.ipv4.tcp_notsent_lowat'],
];

function sysctls(subject: Subject): Finding | undefined {
  const allowed = sysctlsSince
    .filter(([since]) => since <= subject.minor)
    .flatMap(([, names]) => names.split(' '));
  const names = list(security(subject.spec)['sysctls']).map(nameOf);
  const bad = names.filter((name) => !allowed.includes(name));
  return bad.length === 0 ? undefined : finding('forbidden sysctls', bad.join(', '));
}

function windowsHostProcess(subject: Subject): Finding | undefined {
  const isBad = (one: Json): boolean =>
    record(security(one)['windowsOptions'])['hostProcess'] === true;
  const bad = badOf(subject, isBad);
  if (bad.length === 0 && !isBad(subject.spec)) return undefined;
  const who = setters(isBad(subject.spec), bad);
  return finding(
    'hostProcess',
    `${who} must not set securityContext.windowsOptions.hostProcess=true`,
  );
}

function privilegeEscalation(subject: Subject): Finding | undefined {
  if (subject.minor >= 25 && isWindows(subject)) return undefined;
  const bad = badOf(subject, (one) => security(one)['allowPrivilegeEscalation'] !== false);
  if (bad.length === 0) return undefined;
  const detail = `${containersText(bad)} must set securityContext.allowPrivilegeEscalation=false`;
  return finding('allowPrivilegeEscalation != false', detail);
}

const freeVolumes =
  'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(
    ' ',
  );

function restrictedVolumes({ spec }: Subject): Finding | undefined {
  const bad = list(spec['volumes']).filter(
    (one) => !freeVolumes.some((type) => one[type] !== undefined),
  );
  if (bad.length === 0) return undefined;
  const types = sorted(
    bad.map((one) => Object.keys(one).find((key) => key !== 'name') ?? 'unknown'),
  );
  const uses = bad.length === 1 ? 'uses' : 'use';
  const volumes = `${plural('volume', bad.length)} ${quoted(bad.map(nameOf))}`;
  const what = plural('restricted volume type', types.length);
  return finding('restricted volume types', `${volumes} ${uses} ${what} ${quoted(types)}`);
}

function runAsNonRoot(subject: Subject): Finding | undefined {
  if (subject.minor >= 35 && hasOwnUsers(subject)) return undefined;
  const valueOf = (one: Json): unknown => security(one)['runAsNonRoot'];
  const pod = valueOf(subject.spec);
  const explicit = badOf(subject, (one) => valueOf(one) === false);
  if (pod === false || explicit.length > 0) {
    const who = setters(pod === false, explicit);
    return finding(
      'runAsNonRoot != true',
      `${who} must not set securityContext.runAsNonRoot=false`,
    );
  }
  const bad = pod === true ? [] : badOf(subject, (one) => valueOf(one) === undefined);
  if (bad.length === 0) return undefined;
  return finding(
    'runAsNonRoot != true',
    `pod or ${containersText(bad)} must set securityContext.runAsNonRoot=true`,
  );
}

function runAsUser(subject: Subject): Finding | undefined {
  if (subject.minor >= 35 && hasOwnUsers(subject)) return undefined;
  const isBad = (one: Json): boolean => security(one)['runAsUser'] === 0;
  const bad = badOf(subject, isBad);
  if (bad.length === 0 && !isBad(subject.spec)) return undefined;
  return finding('runAsUser=0', `${setters(isBad(subject.spec), bad)} must not set runAsUser=0`);
}

/** In the order of their names, those of the baseline first. */
const checks: readonly Check[] = [
  { id: 'appArmorProfile', isRestricted: false, run: appArmor },
  { id: 'capabilities_baseline', isRestricted: false, run: capabilitiesBaseline },
  { id: 'hostNamespaces', isRestricted: false, run: hostNamespaces },
  { id: 'hostPathVolumes', isRestricted: false, run: hostPathVolumes },
  { id: 'hostPorts', isRestricted: false, run: hostPorts },
  { id: 'hostProbesAndHostLifecycle', isRestricted: false, since: 34, run: probeHosts },
  { id: 'privileged', isRestricted: false, run: privileged },
  {
    id: 'procMount',
    isRestricted: false,
    run: (subject) =>
      subject.minor >= 35 && hasOwnUsers(subject) ? undefined : procMount(subject),
  },
  { id: 'seLinuxOptions', isRestricted: false, run: seLinuxOptions },
  {
    id: 'seccompProfile_baseline',
    isRestricted: false,
    run: (subject) => (subject.minor < 19 ? seccompAnnotations(subject) : seccompSetters(subject)),
  },
  { id: 'sysctls', isRestricted: false, run: sysctls },
  { id: 'windowsHostProcess', isRestricted: false, run: windowsHostProcess },
  { id: 'allowPrivilegeEscalation', isRestricted: true, since: 8, run: privilegeEscalation },
  {
    id: 'capabilities_restricted',
    isRestricted: true,
    since: 22,
    overrides: ['capabilities_baseline'],
    run: capabilitiesRestricted,
  },
  {
    id: 'procMount_restricted',
    isRestricted: true,
    since: 35,
    overrides: ['procMount'],
    run: procMount,
  },
  {
    id: 'restrictedVolumes',
    isRestricted: true,
    overrides: ['hostPathVolumes'],
    run: restrictedVolumes,
  },
  { id: 'runAsNonRoot', isRestricted: true, run: runAsNonRoot },
  { id: 'runAsUser', isRestricted: true, since: 23, run: runAsUser },
  {
    id: 'seccompProfile_restricted',
    isRestricted: true,
    since: 19,
    overrides: ['seccompProfile_baseline'],
    run: seccompRestricted,
  },
];

export type Level = 'privileged' | 'baseline' | 'restricted';

const MINOR_LATEST = 37;

/** What the pod violates, in the order that upstream tells it. */
export function findings(
  level: Level,
  version: number | 'latest',
  metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined },
  spec: Json,
): Finding[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? MINOR_LATEST : Math.min(version, MINOR_LATEST);
  const active = checks.filter(
    (one) => (one.since ?? 0) <= minor && (level === 'restricted' || !one.isRestricted),
  );
  const overridden = new Set(active.flatMap((one) => one.overrides ?? []));
  const containers = [
    ...list(spec['initContainers']),
    ...list(spec['containers']),
    ...list(spec['ephemeralContainers']),
  ];
  const subject = { annotations: metadata.annotations ?? {}, spec, containers, minor };
  return active
    .filter(({ id }) => !overridden.has(id))
    .map((one) => one.run(subject))
    .filter((one) => one !== undefined);
}
