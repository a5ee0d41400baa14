// The host of containerd's containers against a real containerd: the port's conformance suite, and what only it has. Needs root,
// cgroups, and containerd with runc (Debian's packages).
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite } from 'node:test';
import { ContainerdClient } from '#containerd/containerd-client.ts';
import { processConformance } from '#env/conformance/process.ts';
import type { ProcessSpec } from '#env/process.ts';
import { type ContainerdFixture, findContainerd } from '#test/support/containerd.ts';
import { ContainerdHost } from './containerd-host.ts';
import { createEnv } from './env.ts';
import { createProcessHost } from './process-host.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const found = findContainerd();
const skip = found.ok ? false : found.reason;

suite('processes as containers of containerd', { skip }, () => {
  let containerd: ContainerdFixture;
  const hosts: ContainerdHost[] = [];
  const folders: string[] = [];
  before(async () => {
    if (found.ok) containerd = await found.start();
  });
  after(async () => {
    for (const host of hosts) host.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    await containerd?.stop();
  });

  const newHost = (): ContainerdHost => {
    const client = new ContainerdClient(containerd.socket, 'mesos');
    const made = new ContainerdHost({ ...env, client, plain: createProcessHost(env) });
    hosts.push(made);
    return made;
  };
  const folderOf = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-containerd-'));
    folders.push(folder);
    return folder;
  };
  const inTree = (spec: ProcessSpec): ProcessSpec => ({
    ...spec,
    cwd: '/',
    root: '/root-of-it',
    mounts: [{ source: containerd.tree, target: '/root-of-it', readOnly: false }],
    containerd: { image: 'tree', snapshotter: '', snapshotKey: '' },
  });

  processConformance('host of containerd', async () => ({
    host: newHost(),
    folder: folderOf(),
    successor: newHost,
    killShim: (stateFolder) => process.kill(shimPid(stateFolder), 'SIGKILL'),
    elapse: (ms) => new Promise((done) => env.timers.after(ms, done)),
    complete: inTree,
    commands: {
      exitsWith: (code) => ['sh', '-c', `exit ${code}`],
      sleepsMs: (ms) => ['sleep', String(ms / 1000)],
      ignoresTerm: () => ['sh', '-c', 'trap "" TERM; while :; do sleep 60; done'],
      cannotStart: () => ({
        mounts: [
          { source: containerd.tree, target: '/root-of-it', readOnly: false },
          { source: '/no/such/folder', target: '/root-of-it/there', readOnly: false },
        ],
      }),
    },
  }));
});

function shimPid(stateFolder: string): number {
  const { id } = JSON.parse(readFileSync(join(stateFolder, 'containerd.json'), 'utf8')) as {
    id: string;
  };
  const pid = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return words[0]?.includes('containerd-shim') === true && words.includes(id);
      } catch {
        return false;
      }
    });
  return Number(pid);
}
