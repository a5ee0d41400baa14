// Gives pods of a container runtime addresses on the node's own bridge, beside the pods that are
// processes, when the machine has no CNI configuration: installs a plugin (a shell script) and a
// configuration where the runtime looks for them. A machine that has a configuration keeps it.
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Timers } from '#env/env.ts';
import type { CriClient } from '#kube/cri/cri-client.ts';
import type { PodNetwork } from './pod-network.ts';

/** Where the plugin finds the address of a pod: a file named by its uid. */
const addressFolder = '/run/strata/cni';
const configName = '99-strata.conflist';
const cniVersion = '0.4.0';
const noticeMs = 50;
const noticesMax = 100;

/**
 * A CNI plugin: connects the namespace to the bridge as the file of the pod's uid says. Under the name
 * `loopback`, which containerd asks for, too, it brings up `lo`.
 */
const pluginScript = `#!/bin/sh
# Connects pods to the bridge of their Strata node. Written by the node executor.
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
cat >/dev/null
version='"cniVersion":"${cniVersion}"'
fail() { echo "{$version,\\"code\\":100,\\"msg\\":\\"$1\\"}"; exit 1; }
run() { out=$("$@" 2>&1) || fail "$(echo "$*: $out" | tr '"\\\\\\n' "'/ ")"; }
case $CNI_COMMAND in
VERSION) echo "{$version,\\"supportedVersions\\":[\\"0.3.1\\",\\"${cniVersion}\\",\\"1.0.0\\"]}"; exit 0 ;;
ADD) ;;
*) exit 0 ;;
esac
if [ "\${0##*/}" = loopback ]; then
  run nsenter --net="$CNI_NETNS" ip link set lo up
  echo "{$version,\\"interfaces\\":[{\\"name\\":\\"lo\\",\\"sandbox\\":\\"$CNI_NETNS\\"}],\\"ips\\":[]}"
  exit 0
fi
uid=$(echo "$CNI_ARGS" | tr ';' '\\n' | sed -n 's/^K8S_POD_UID=//p')
file=${addressFolder}/$uid
[ -n "$uid" ] && [ -r "$file" ] || fail "pod $uid was not announced by a Strata node"
read -r address bits gateway bridge outside <"$file"
ip link delete "$outside" 2>/dev/null
inside=in\${outside#sv}
run ip link add "$outside" type veth peer name "$inside"
exec 3<"$CNI_NETNS"
run ip link set "$inside" netns "$CNI_NETNS"
run ip link set "$outside" master "$bridge" up
set -- nsenter --net="$CNI_NETNS" ip
run "$@" link set "$inside" name "$CNI_IFNAME"
run "$@" address add "$address/$bits" dev "$CNI_IFNAME"
run "$@" link set "$CNI_IFNAME" up
run "$@" route add default via "$gateway"
echo "{$version,\\"interfaces\\":[{\\"name\\":\\"$CNI_IFNAME\\",\\"sandbox\\":\\"$CNI_NETNS\\"}],\\
\\"ips\\":[{\\"version\\":\\"4\\",\\"interface\\":0,\\"address\\":\\"$address/$bits\\",\\"gateway\\":\\"$gateway\\"}]}"
`;

const configText = `${JSON.stringify(
  { cniVersion, name: 'strata', plugins: [{ type: 'strata' }] },
  null,
  2,
)}\n`;

interface CniPlaces {
  readonly binDir: string;
  readonly confDir: string;
}

/** Out of the verbose status of containerd; other runtimes have the usual places. */
export function cniPlaces(info: Readonly<Record<string, string>>): CniPlaces {
  const usual = { binDir: '/opt/cni/bin', confDir: '/etc/cni/net.d' };
  try {
    const config = JSON.parse(info['config'] ?? '{}') as {
      readonly cni?: { binDir?: string; binDirs?: readonly string[]; confDir?: string };
    };
    const { binDir = '', binDirs = [], confDir = '' } = config.cni ?? {};
    const first = binDir === '' ? binDirs[0] : binDir;
    return {
      binDir: first ?? usual.binDir,
      confDir: confDir === '' ? usual.confDir : confDir,
    };
  } catch {
    return usual;
  }
}

interface Status {
  readonly isReady: boolean;
  readonly message: string;
  readonly places: CniPlaces;
}

export class CriNetwork {
  readonly #client: CriClient;
  readonly #network: PodNetwork | undefined;
  readonly #timers: Timers;

  constructor(client: CriClient, network: PodNetwork | undefined, timers: Timers) {
    this.#client = client;
    this.#network = network;
    this.#timers = timers;
  }

  async #status(): Promise<Status> {
    const answer = (await this.#client.call('Status', { verbose: true })) as {
      readonly status?: {
        readonly conditions?: readonly { type: string; status: boolean; message: string }[];
      };
      readonly info?: Readonly<Record<string, string>>;
    };
    const condition = answer.status?.conditions?.find(({ type }) => type === 'NetworkReady');
    return {
      isReady: condition?.status !== false,
      message: condition?.message ?? '',
      places: cniPlaces(answer.info ?? {}),
    };
  }

  /** Before a sandbox with a network of its own is made: a network is there, and knows of the pod. */
  async announce(uid: string): Promise<void> {
    const { isReady, message, places } = await this.#status();
    if (!isReady) await this.#install(places, message);
    if (this.#network === undefined) return;
    const { address, bits, gateway, bridge, outside } = await this.#network.reserve(uid);
    await mkdir(addressFolder, { recursive: true });
    const line = `${[address, bits, gateway, bridge, outside].join(' ')}\n`;
    await writeFile(join(addressFolder, uid), line);
  }

  /** Another network of the machine may have given the pod an address: then ours is free again. */
  async settle(uid: string, ips: readonly string[]): Promise<void> {
    if (this.#network === undefined) return;
    const [ip] = ips;
    if (ip === undefined || ip !== this.#network.addressOf(uid)) await this.forget(uid);
  }

  remember(uid: string, ip: string): void {
    this.#network?.remember(uid, ip);
  }

  async forget(uid: string): Promise<void> {
    await this.#network?.remove(uid);
    await rm(join(addressFolder, uid), { force: true });
  }

  async #install({ binDir, confDir }: CniPlaces, message: string): Promise<void> {
    if (this.#network === undefined) {
      const remedy = `put a CNI configuration into ${confDir}, or run the agent as root`;
      const text = `the container runtime has no network for pods (${message}): ${remedy}`;
      throw new Fault({ code: 'pod-network' }, text);
    }
    await mkdir(binDir, { recursive: true });
    await mkdir(confDir, { recursive: true });
    for (const name of ['strata', 'loopback']) {
      const path = join(binDir, name);
      const isThere = (await stat(path).catch(() => undefined)) !== undefined;
      if (name === 'loopback' && isThere) continue;
      await writeFile(path, pluginScript);
      await chmod(path, 0o755);
    }
    await writeFile(join(confDir, configName), configText);
    // The runtime watches the folder; it says nothing when it has seen the file.
    for (let notice = 1; notice <= noticesMax; notice++) {
      if ((await this.#status()).isReady) return;
      await new Promise<void>((done) => this.#timers.after(noticeMs, done));
    }
    const path = join(confDir, configName);
    const text = `the container runtime does not take the CNI configuration ${path}: ${message}`;
    throw new Fault({ code: 'pod-network' }, text);
  }
}
