// What containers of type DOCKER mean, which containerizer takes which container, and what is refused with which words.
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CommandInfo, ContainerInfo } from '#wire/mesos/v1.ts';
import { containerizers, hasImage, understood } from './containerizers.ts';
import { dockerCommandLine, type DockerUse, understandDocker } from './docker-container.ts';
import { identityIn } from './image-user.ts';

type Docker = NonNullable<ContainerInfo['docker']>;

function ofDocker(docker: Partial<Docker>, more: Partial<ContainerInfo> = {}) {
  return understandDocker({ type: 'DOCKER', docker: { image: 'box', ...docker }, ...more });
}

const parameter = (key: string, value: string) => ({ parameters: [{ key, value }] });

const MEANT: readonly [string, Partial<Docker>, (it: ContainerInfo) => unknown, unknown][] = [
  ['image', {}, (it) => it.mesos?.image?.docker?.name, 'box'],
  ['cached', {}, (it) => it.mesos?.image?.cached, true],
  ['pulled', { force_pull_image: true }, (it) => it.mesos?.image?.cached, false],
  ['host', { network: 'HOST' }, (it) => it.network_infos, []],
  [
    'bridge',
    { network: 'BRIDGE', port_mappings: [{ host_port: 31_000, container_port: 80 }] },
    (it) => it.network_infos,
    [{ name: 'bridge', port_mappings: [{ host_port: 31_000, container_port: 80 }] }],
  ],
  ['shared memory', {}, (it) => it.linux_info?.shm_size, 64],
  ['shm-size', parameter('shm-size', '1g'), (it) => it.linux_info?.shm_size, 1024],
  [
    'cap-drop',
    parameter('cap-drop', 'ALL'),
    (it) => it.linux_info?.bounding_capabilities?.capabilities,
    [],
  ],
  [
    'cap-add',
    {
      parameters: [
        ...parameter('cap-drop', 'all').parameters,
        { key: 'cap-add', value: 'cap_chown' },
      ],
    },
    (it) => it.linux_info?.effective_capabilities?.capabilities,
    ['CHOWN'],
  ],
  [
    'ulimit',
    parameter('ulimit', 'nofile=64:128'),
    (it) => it.rlimit_info?.rlimits,
    [{ type: 'RLMT_NOFILE', soft: 64, hard: 128 }],
  ],
  [
    'volume',
    parameter('volume', '/a:/b:ro'),
    (it) => it.volumes,
    [{ host_path: '/a', container_path: '/b', mode: 'RO' }],
  ],
];
for (const [what, docker, look, want] of MEANT) {
  test(`of type DOCKER: ${what}`, () => assert.deepEqual(look(ofDocker(docker).container), want));
}

const USED: readonly [string, Partial<Docker>, keyof DockerUse, unknown][] = [
  ['privileged', { privileged: true }, 'privileged', true],
  ['privileged', parameter('privileged', 'true'), 'privileged', true],
  ['read-only', parameter('read-only', 'true'), 'readOnly', true],
  ['env', parameter('env', 'A=b=c'), 'env', { A: 'b=c' }],
  ['workdir', parameter('workdir', '/w'), 'workingFolder', '/w'],
  ['entrypoint', parameter('entrypoint', '/e'), 'entrypoint', '/e'],
  ['user', parameter('user', '1:2'), 'user', '1:2'],
  ['hostname', parameter('hostname', 'h'), 'hostname', 'h'],
  ['no network', { network: 'NONE' }, 'isAlone', true],
];
for (const [what, docker, name, want] of USED) {
  test(`of type DOCKER only: ${what}`, () => assert.deepEqual(ofDocker(docker).use[name], want));
}

const REFUSED: readonly [Partial<Docker>, RegExp, Partial<ContainerInfo>?][] = [
  [parameter('device', '/dev/x'), /parameter 'device' is not supported/],
  [parameter('env', 'A'), /no NAME=VALUE/],
  [parameter('ulimit', 'nofile'), /no ulimit/],
  [parameter('shm-size', 'big'), /no size/],
  [parameter('volume', 'name:/b'), /Only host paths/],
  [parameter('privileged', 'yes'), /'privileged' is no flag/],
  [parameter('cap-add', 'ALL'), /'privileged'/],
  [{ volume_driver: 'nfs' }, /volume drivers are not supported/],
  [{ network: 'USER' }, /No network name/],
  [{ port_mappings: [{ host_port: 1, container_port: 2 }] }, /Port mappings are only supported/],
  [{}, /in one network at most/, { network_infos: [{ name: 'a' }, { name: 'b' }] }],
];
for (const [docker, why, more] of REFUSED) {
  test(`refused: ${why.source}`, () => assert.throws(() => ofDocker(docker, more), why));
}

const IMAGE = { entrypoint: ['/e'], cmd: ['c', 'd'] };
const LINES: readonly [CommandInfo | undefined, string | undefined, readonly string[]][] = [
  [undefined, undefined, ['/e', 'c', 'd']],
  [{ value: 'echo' }, undefined, ['/bin/sh', '-c', 'echo']],
  [{ shell: false }, undefined, ['/e', 'c', 'd']],
  [{ shell: false, value: 'x', arguments: ['y'] }, undefined, ['/e', 'x', 'y']],
  [{ shell: false, arguments: ['y'] }, '/own', ['/own', 'y']],
  [{ shell: false }, '/own', ['/own']],
];
for (const [command, entrypoint, want] of LINES) {
  test(`the command line ${want.join(' ')}`, () =>
    assert.deepEqual(dockerCommandLine(command, IMAGE, entrypoint), want));
}

test('the first containerizer that can is taken; with none that can, Mesos says so', () => {
  const plain: ContainerInfo = { type: 'MESOS' };
  const image: ContainerInfo = { type: 'MESOS', mesos: { image: { type: 'DOCKER' } } };
  const docker: ContainerInfo = { type: 'DOCKER', docker: { image: 'x' } };
  const by = (container: ContainerInfo | undefined, ...enabled: ('mesos' | 'containerd')[]) =>
    understood(container, { enabled }).by;
  for (const one of [undefined, plain]) assert.equal(by(one, 'containerd', 'mesos'), 'mesos');
  assert.equal(by(image, 'containerd', 'mesos'), 'containerd');
  assert.equal(by(image, 'mesos', 'containerd'), 'mesos');
  assert.equal(by(docker, 'mesos', 'containerd'), 'containerd');
  const none = /^Error: None of the enabled containerizers \((mesos|containerd)\) could create/;
  assert.throws(() => by(docker, 'mesos'), none);
  assert.throws(() => by(plain, 'containerd'), none);
  assert.deepEqual([undefined, plain, image, docker].map(hasImage), [false, false, true, true]);
  assert.deepEqual(containerizers('docker,mesos'), { enabled: ['mesos'], passesOverDocker: true });
  assert.throws(() => containerizers('rkt'), /Unknown or unsupported containerizer: rkt/);
});

test('who the user of an image is, is said by its own files, out of which no link leads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-user-'));
  try {
    const [upper, lower] = [join(folder, 'upper'), join(folder, 'lower')];
    for (const one of [upper, lower]) await mkdir(join(one, 'etc'), { recursive: true });
    await writeFile(join(lower, 'etc/passwd'), 'app:x:7:8::/:/bin/sh\nother:x:9:9::/:\n');
    await writeFile(join(upper, 'etc/group'), 'app:x:8:\nmore:x:12:app\n');
    const of = (user: string) => identityIn([upper, lower], user);
    assert.deepEqual(await of('app'), { uid: 7, gid: 8, groups: [8, 12] });
    assert.deepEqual(await of('7:more'), { uid: 7, gid: 12, groups: [12] });
    assert.deepEqual(await of('5'), { uid: 5, gid: 0, groups: [0] });
    assert.deepEqual(await of('5:6'), { uid: 5, gid: 6, groups: [6] });
    await assert.rejects(of('nobody'), /Failed to find user 'nobody' in the image/);
    await assert.rejects(of('app:none'), /Failed to find group 'none' in the image/);
    await rm(join(lower, 'etc/passwd'));
    await symlink('../../../../../../../etc/group', join(lower, 'etc/passwd'));
    await assert.rejects(of('root'), /Failed to find user 'root'/, 'the machine has one');
  } finally {
    await rm(folder, { recursive: true });
  }
});
