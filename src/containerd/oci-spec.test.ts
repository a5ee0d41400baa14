// What becomes of a process that is to be a container: its specification, by a table of what is asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessSpec } from '#env/process.ts';
import { ociRoot, ociSpec } from './oci-spec.ts';

const BASE = { type: 'overlay', source: 'overlay', target: '/r', readOnly: false } as const;
const SPEC: ProcessSpec = {
  stateFolder: '/state',
  argv: ['true'],
  env: { A: 'b' },
  cwd: '/',
  stdoutPath: '/out',
  stderrPath: '/err',
  root: '/r',
  mounts: [BASE],
};

interface Made {
  readonly process: Record<string, unknown> & { capabilities: Record<string, string[]> };
  readonly linux: Record<string, unknown> & { resources: Record<string, unknown> };
  readonly root: unknown;
}

function made(more: Partial<ProcessSpec>): Made {
  return JSON.parse(ociSpec({ ...SPEC, ...more })) as Made;
}

const containerd = { image: '', snapshotter: '', snapshotKey: '' };
const CASES: readonly [string, Partial<ProcessSpec>, (it: Made) => unknown, unknown][] = [
  ['environment', {}, (it) => it.process['env'], ['A=b']],
  [
    'identity',
    { uid: 7, gid: 8, groups: [9] },
    (it) => it.process['user'],
    { uid: 7, gid: 8, additionalGids: [9] },
  ],
  ['no user but root has rights', { uid: 7 }, (it) => it.process.capabilities['effective'], []],
  [
    'a user has what it is given',
    { uid: 7, capabilities: { effective: ['net_raw'] } },
    (it) => it.process.capabilities['ambient'],
    ['CAP_NET_RAW'],
  ],
  [
    'root has what may be had',
    { capabilities: { bounding: ['chown'] } },
    (it) => it.process.capabilities['permitted'],
    ['CAP_CHOWN'],
  ],
  [
    'privileged',
    { containerd: { ...containerd, privileged: true } },
    (it) => [
      it.process.capabilities['bounding']?.includes('CAP_SYS_ADMIN'),
      it.linux['maskedPaths'],
    ],
    [true, []],
  ],
  [
    'a root that is read only',
    { containerd: { ...containerd, readOnly: true } },
    (it) => it.root,
    { path: 'rootfs', readonly: true },
  ],
  [
    'terminal',
    { terminal: { rows: 2, columns: 3 } },
    (it) => [it.process['terminal'], it.process['consoleSize']],
    [true, { height: 2, width: 3 }],
  ],
  [
    'namespaces',
    { namespaces: { pid: 'new', network: '/run/netns/x' }, hostname: 'h' },
    (it) => it.linux['namespaces'],
    [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'uts' },
      { type: 'network', path: '/run/netns/x' },
    ],
  ],
  [
    'limits',
    { limits: { cpus: 0.5, cpusMax: 1, memoryBytesMax: 1 << 25, limitsSwap: true, pidsMax: 9 } },
    (it) => ({ ...it.linux.resources, devices: 0 }),
    {
      devices: 0,
      cpu: { shares: 512, period: 100_000, quota: 100_000 },
      memory: { limit: 1 << 25, swap: 1 << 25 },
      pids: { limit: 9 },
    },
  ],
  [
    'a profile of system calls',
    { seccomp: new Uint8Array(8), seccompProfile: { defaultAction: 'SCMP_ACT_ALLOW' } },
    (it) => it.linux['seccomp'],
    { defaultAction: 'SCMP_ACT_ALLOW' },
  ],
  [
    'no profile for who is privileged',
    { containerd: { ...containerd, privileged: true }, seccompProfile: {} },
    (it) => it.linux['seccomp'],
    undefined,
  ],
  [
    'devices',
    { limits: { devices: ['c 10:* rw'] } },
    (it) => it.linux.resources['devices'],
    [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 10, access: 'rw' },
    ],
  ],
];

for (const [what, asked, look, want] of CASES) {
  test(`a specification: ${what}`, () => assert.deepEqual(look(made(asked)), want));
}

test('no limit is the largest number of the kernel, which JSON has and JavaScript has not', () => {
  const text = ociSpec({
    ...SPEC,
    rlimits: [{ name: 'nofile' }, { name: 'core', soft: 1, hard: 2 }],
  });
  assert.match(text, /"RLIMIT_NOFILE","soft":18446744073709551615,"hard":18446744073709551615/);
  assert.match(text, /"RLIMIT_CORE","soft":1,"hard":2/);
});

test('mounts: those in what is bound come after it, and a file system that is bound is mounted there', () => {
  const { base, mounts } = ociRoot({
    ...SPEC,
    mounts: [
      { source: '/volume', target: '/sandbox/in/it', readOnly: true },
      {
        type: 'overlay',
        source: 'overlay',
        target: '/image',
        readOnly: false,
        options: 'lowerdir=/l',
      },
      BASE,
      { type: 'tmpfs', source: 'shm', target: '/r/dev/shm', readOnly: false, options: 'size=1m' },
      { source: '/sandbox', target: '/r/mnt', readOnly: false },
      { source: '/image', target: '/r/opt', readOnly: true },
    ],
  });
  assert.equal(base, BASE);
  const own = mounts.slice(mounts.findIndex(({ destination }) => destination === '/sys') + 1);
  assert.deepEqual(own, [
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['rw', 'size=1m'] },
    { destination: '/mnt', type: 'bind', source: '/sandbox', options: ['rbind', 'rprivate', 'rw'] },
    {
      destination: '/mnt/in/it',
      type: 'bind',
      source: '/volume',
      options: ['rbind', 'rprivate', 'ro'],
    },
    { destination: '/opt', type: 'overlay', source: 'overlay', options: ['ro', 'lowerdir=/l'] },
  ]);
});

const REFUSED: readonly [string, Partial<ProcessSpec>, RegExp][] = [
  ['no root of its own', { root: undefined, mounts: [] }, /a root of their own only/],
  ['a compiled filter', { seccomp: new Uint8Array(8) }, /has not a compiled seccomp program/],
  ['the place of another', { namespaces: { of: 1 } }, /namespaces of another process/],
  [
    'a mount that leads nowhere',
    { mounts: [BASE, { source: '/a', target: '/b', readOnly: false }] },
    /nothing of the container leads to "\/b"/,
  ],
];
for (const [what, asked, why] of REFUSED) {
  test(`refused: ${what}`, () => assert.throws(() => ociSpec({ ...SPEC, ...asked }), why));
}
