// What a node says of its machine (NodeSystemInfo of v1.37), as a kubelet finds it: from the files that
// systemd, the firmware and the kernel keep. What a machine does not have stays out.
import { readFileSync } from 'node:fs';
import { release } from 'node:os';

export interface NodeInfo {
  readonly machineID?: string;
  readonly systemUUID?: string;
  readonly bootID?: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly containerRuntimeVersion: string;
}

/** `root`: of the machine's files, another one in tests. */
export function readNodeInfo(containerRuntimeVersion: string, root = ''): NodeInfo {
  const read = (...paths: readonly string[]): string | undefined => {
    for (const path of paths) {
      try {
        const text = readFileSync(root + path, 'utf8').trim();
        if (text !== '') return text;
      } catch {
        // The next place, or none.
      }
    }
    return undefined;
  };
  const machineID = read('/etc/machine-id', '/var/lib/dbus/machine-id');
  // Only root may read it; the machine's id is what a kubelet falls back to.
  const systemUUID = read('/sys/class/dmi/id/product_uuid', '/etc/machine-id');
  const bootID = read('/proc/sys/kernel/random/boot_id');
  return {
    ...(machineID === undefined ? {} : { machineID }),
    ...(systemUUID === undefined ? {} : { systemUUID }),
    ...(bootID === undefined ? {} : { bootID }),
    kernelVersion: release(),
    osImage: osName(read('/etc/os-release', '/usr/lib/os-release') ?? ''),
    containerRuntimeVersion,
  };
}

/** PRETTY_NAME of os-release(5), whose value may stand in quotes; `Linux` where there is none. */
function osName(osRelease: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(osRelease)?.[1] ?? '';
  return value.replace(/^(["'])(.*)\1$/, '$2') || 'Linux';
}
