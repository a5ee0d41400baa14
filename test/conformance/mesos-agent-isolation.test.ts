// Volumes and Linux isolation of tasks: what was asked for is there, and what tries to get out of it
// fails. Needs root, as the isolation does.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { systemClock, systemTimers } from '#env/node/clock.ts';
import { createEnv } from '#env/node/env.ts';
import { createProcessHost } from '#env/node/process-host.ts';
import type { ContainerInfo, LinuxInfo, TaskStatus, Volume } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const isRoot = process.getuid?.() === 0;
const { hasCgroups } = createProcessHost({ clock: systemClock, timers: systemTimers });
const skip = isRoot ? false : 'needs root';

suite(`isolation of tasks (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    const profiles = join(machine.folder, 'profiles');
    mkdirSync(profiles);
    const denies = (names: readonly string[], errnoRet: number): string =>
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names, action: 'SCMP_ACT_ERRNO', errnoRet }],
      });
    writeFileSync(join(profiles, 'default.json'), denies(['swapon'], 1));
    writeFileSync(join(profiles, 'no-folders.json'), denies(['mkdir', 'mkdirat'], 95));
    writeFileSync(join(profiles, 'wrong.json'), denies(['nosuchcall'], 1));
    const isolators = ['linux/capabilities', 'linux/seccomp'];
    if (hasCgroups) isolators.push('cgroups/devices');
    const flags = [
      `isolation=${isolators.join()}`,
      'container_pids_max=40',
      `seccomp_config_dir=${profiles}`,
      'seccomp_profile_name=default.json',
      'container_logger=org_apache_mesos_LogrotateContainerLogger',
    ];
    await machine.start(['--flag', ...flags]);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  /** The last status of a task that runs a script to its end. */
  async function ended(
    id: string,
    script: string,
    container?: Partial<ContainerInfo>,
    user?: string,
  ): Promise<TaskStatus> {
    const command = { value: script, ...(user === undefined ? {} : { user }) };
    const info = container === undefined ? {} : { container: { type: 'MESOS', ...container } };
    framework.launch([{ id, command, mem: 32, ...(info as object) }]);
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  const finishes = async (...given: Parameters<typeof ended>): Promise<void> => {
    const { state, message } = await ended(...given);
    assert.equal(`${state} ${message}`, 'TASK_FINISHED Command exited with status 0');
  };
  const linux = (linux_info: LinuxInfo) => ({ linux_info });

  // ---- volumes

  test('a host path is mounted, read-only when that is asked for', async () => {
    const host = join(machine.folder, 'host');
    mkdirSync(host);
    writeFileSync(join(host, 'in'), 'from the host\n');
    const volumes: Volume[] = [
      { mode: 'RW', container_path: 'rw', host_path: host },
      {
        mode: 'RO',
        container_path: 'deep/ro',
        source: { type: 'HOST_PATH', host_path: { path: host } },
      },
    ];
    const script = 'grep -q host rw/in && echo x >rw/out && ! echo x >deep/ro/out2';
    await finishes('volumes', script, { volumes });
    assert.equal(readFileSync(join(host, 'out'), 'utf8'), 'x\n');
    assert.deepEqual(readdirSync(host).toSorted(), ['in', 'out']);
    const missing = [{ mode: 'RW' as const, container_path: 'x', host_path: '/no/such/place' }];
    const end = await ended('no-host-path', 'true', { volumes: missing });
    assert.match(end.message ?? '', /The host path '\/no\/such\/place' does not exist/);
    assert.equal(end.reason, 'REASON_CONTAINER_LAUNCH_FAILED');
  });

  test('tasks of a group share a folder of their executor', async () => {
    const volumes: Volume[] = [
      {
        mode: 'RW',
        container_path: 'shared',
        source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'common' } },
      },
    ];
    const container = { type: 'MESOS' as const, volumes };
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'sharing' } }, [
      { id: 'writes', script: 'echo hello >shared/f; sleep 600', container },
      { id: 'reads', script: 'until grep hello shared/f; do sleep 0.02; done', container },
    ]);
    await framework.reached('reads', 'TASK_FINISHED');
    framework.kill('writes');
    await framework.reached('writes', 'TASK_KILLED');
  });

  test('a secret is a file that only its task has, and touches no sandbox', async () => {
    const data = new TextEncoder().encode('s3cr3t');
    const volumes: Volume[] = [
      {
        mode: 'RO',
        container_path: 'key',
        source: { type: 'SECRET', secret: { type: 'VALUE', value: { data } } },
      },
    ];
    const script =
      '[ "$(cat key)" = s3cr3t ] && [ "$(stat -f -c %T key)" = tmpfs ] && ! echo x >key; echo $? >code; sleep 600';
    const command = { value: script, user: 'nobody' };
    framework.launch([{ id: 'secret', command, container: { type: 'MESOS', volumes } }]);
    await framework.reached('secret', 'TASK_RUNNING');
    const sandbox = await sandboxOf('secret');
    await eventually('it has looked', async () => existsSync(join(sandbox, 'code')) || undefined);
    assert.equal(readFileSync(join(sandbox, 'code'), 'utf8'), '0\n');
    assert.equal(readFileSync(join(sandbox, 'key'), 'utf8'), '', 'nothing of it outside');
    assert.ok(existsSync(machine.secretsFolder));
    // Neither where secrets are kept, nor in what the task sees.
    const looks = [
      `! cat ${machine.secretsFolder}/*/* && ! ls ${machine.secretsFolder}`,
      `for one in /proc/[0-9]*; do grep -q s3cr3t $one/root${sandbox}/key && exit 9; done; true`,
    ];
    await finishes('of another user', looks.join(' && '), undefined, 'daemon');
    framework.kill('secret');
    await framework.reached('secret', 'TASK_KILLED');
    const secrets = (): string[] =>
      existsSync(machine.secretsFolder) ? readdirSync(machine.secretsFolder) : [];
    await eventually('its secret is gone', async () => secrets().length === 0 || undefined);
  });

  async function sandboxOf(taskId: string): Promise<string> {
    const state = (await (await fetch(`${machine.agentUrl}/state`)).json()) as {
      frameworks: { executors: { id: string; directory: string }[] }[];
    };
    const executors = state.frameworks.flatMap((one) => one.executors);
    return executors.find((one) => one.id === taskId)?.directory ?? '';
  }

  const escapes: [string, Volume][] = [
    [
      'a sandbox path with ..',
      {
        mode: 'RW',
        container_path: 'x',
        source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'SELF', path: '../../..' } },
      },
    ],
    ['a container path with ..', { mode: 'RW', container_path: '../../x', host_path: '/tmp' }],
    [
      'a parent that is not there',
      {
        mode: 'RW',
        container_path: 'x',
        source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'x' } },
      },
    ],
  ];
  for (const [name, volume] of escapes) {
    test(`${name} is refused`, async () => {
      const end = await ended(`refused ${name}`, 'true', { volumes: [volume] });
      assert.equal(end.reason, 'REASON_CONTAINER_LAUNCH_FAILED');
    });
  }

  test('a link that a task makes leads the volume of another nowhere', async () => {
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'tricked' } }, [
      { id: 'linker', script: 'ln -s /etc ../../way; sleep 600' },
    ]);
    const running = await framework.reached('linker', 'TASK_RUNNING');
    const parent = running.container_status?.container_id?.parent;
    assert.ok(parent !== undefined);
    const volume: Volume = {
      mode: 'RW',
      container_path: 'x',
      source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'way' } },
    };
    const link = join(await sandboxOf('tricked'), 'way');
    await eventually('the link is there', async () => existsSync(link) || undefined);
    const refused = await callAgent(machine.agentUrl, {
      type: 'LAUNCH_NESTED_CONTAINER',
      launch_nested_container: {
        container_id: { value: 'tricked-too', parent },
        command: { value: 'ls x' },
        container: { type: 'MESOS', volumes: [volume] },
      },
    });
    assert.equal(refused.status, 400);
    assert.match(refused.text, /leads out of the sandbox/);
    framework.kill('linker');
  });

  test('what a task writes is kept below the size that it asks for', async () => {
    const environment = {
      variables: [
        { name: 'CONTAINER_LOGGER_MAX_STDOUT_SIZE', value: '8KB' },
        { name: 'CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS', value: 'rotate 2' },
      ],
    };
    const command = { value: 'seq 1 20000; sleep 600', environment };
    framework.launch([{ id: 'talks', command }]);
    await framework.reached('talks', 'TASK_RUNNING');
    const sandbox = await sandboxOf('talks');
    await eventually('all is written', async () => {
      const text = readFileSync(join(sandbox, 'stdout'), 'utf8');
      return text.endsWith('20000\n') || undefined;
    });
    const sizes = readdirSync(sandbox)
      .filter((name) => name.startsWith('stdout'))
      .toSorted()
      .map((name) => [name, readFileSync(join(sandbox, name)).length <= 8192]);
    assert.deepEqual(sizes, [
      ['stdout', true],
      ['stdout.1', true],
      ['stdout.2', true],
    ]);
    framework.kill('talks');
    await framework.reached('talks', 'TASK_KILLED');
  });

  // ---- isolation

  test('with pids of its own a task sees and signals no others, and no knobs', async () => {
    const script = [
      '[ "$$" = 1 ]',
      '[ "$(ls /proc | grep -c "^[0-9]")" -le 4 ]',
      `! kill -0 ${process.pid}`,
      '! echo 1 >/proc/sys/vm/overcommit_memory',
      '! echo b >/proc/sysrq-trigger',
      '[ -z "$(head -c 1 /proc/kcore)" ]',
    ].join(' && ');
    await finishes('own-pids', script, linux({ share_pid_namespace: false }));
  });

  test('private IPC has a shared memory of its own, of the given size', async () => {
    const script =
      '[ -z "$(ls /dev/shm)" ] && ! head -c 3000000 /dev/zero >/dev/shm/f && touch /dev/shm/g';
    await finishes('own-ipc', script, linux({ ipc_mode: 'PRIVATE', shm_size: 2 }));
    assert.ok(!existsSync('/dev/shm/g'));
  });

  test('a task has the capabilities that it asks for and no others', async () => {
    const capabilities = { capabilities: ['NET_RAW' as const] };
    const script =
      '! chown 1 . && ! mount -t tmpfs t . && grep -q "CapEff:.0000000000002000" /proc/self/status';
    await finishes('few', script, linux({ effective_capabilities: capabilities }));
    const end = await ended(
      'contradiction',
      'true',
      linux({ effective_capabilities: capabilities, bounding_capabilities: { capabilities: [] } }),
    );
    assert.match(end.message ?? '', /Requested capabilities '\{NET_RAW\}' are not allowed/);
  });

  test('what is not in the bounding set is had by nobody below, whatever its user', async () => {
    const bounding_capabilities = { capabilities: ['CHOWN' as const, 'SETUID' as const] };
    const script = [
      'grep -q "CapBnd:.0000000000000081" /proc/self/status',
      'grep -q "CapEff:.0000000000000081" /proc/self/status',
      'chown 1 .',
      '! mount -t tmpfs t . && ! mknod d c 1 3 && ! chroot / true',
    ].join(' && ');
    await finishes('bound', script, linux({ bounding_capabilities }));
  });

  test('a system call that its profile denies fails, in all that a task starts', async () => {
    const seccomp = { profile_name: 'no-folders.json' };
    const script =
      'mkdir x; sh -c "mkdir y"; touch z && [ ! -e x ] && [ ! -e y ] && [ -e z ] && ' +
      'grep -q "Seccomp:.2" /proc/self/status';
    await finishes('denied', script, linux({ seccomp }));
    await finishes('denied-to-nobody', 'touch z && ! mkdir x', linux({ seccomp }), 'nobody');
    await finishes('by-default', 'mkdir x && grep -q "Seccomp:.2" /proc/self/status');
    const unconfined = linux({ seccomp: { unconfined: true } });
    await finishes('unconfined', 'grep -q "Seccomp:.0" /proc/self/status', unconfined);
  });

  const refusals: [string, LinuxInfo, RegExp][] = [
    [
      'no-profile',
      { seccomp: { profile_name: 'none.json' } },
      /Failed to read Seccomp profile file/,
    ],
    [
      'profile-elsewhere',
      { seccomp: { profile_name: '../../etc/passwd' } },
      /is not in the folder/,
    ],
    [
      'wrong-profile',
      { seccomp: { profile_name: 'wrong.json' } },
      /Unrecognized syscall 'nosuchcall'/,
    ],
    [
      'two-minds',
      { seccomp: { profile_name: 'default.json', unconfined: true } },
      /'profile_name' given even though 'unconfined' Seccomp setting is enabled/,
    ],
    ['no-name', { seccomp: {} }, /Missing Seccomp profile name/],
  ];
  for (const [id, info, message] of refusals) {
    test(`seccomp is refused: ${id}`, async () => {
      const end = await ended(id, 'true', linux(info));
      assert.equal(end.reason, 'REASON_CONTAINER_LAUNCH_FAILED');
      assert.match(end.message ?? '', message);
    });
  }

  test('who joins a task is held to what the task is', async () => {
    const linux_info: LinuxInfo = {
      seccomp: { profile_name: 'no-folders.json' },
      bounding_capabilities: { capabilities: ['KILL'] },
    };
    const script = 'sleep 600';
    const container = { type: 'MESOS' as const, linux_info };
    const look = 'mkdir x; echo $? >looked; grep -E "CapBnd|Seccomp:" /proc/self/status >>looked';
    const check = { type: 'COMMAND' as const, command: { command: { value: look } } };
    framework.launch([{ id: 'joined', script, container, check }]);
    await framework.reached('joined', 'TASK_RUNNING');
    const looked = join(await sandboxOf('joined'), 'looked');
    const told = await eventually('the check has looked', async () => {
      const text = existsSync(looked) ? readFileSync(looked, 'utf8') : '';
      return text.includes('Seccomp') ? text : undefined;
    });
    assert.equal(told, '1\nCapBnd:\t0000000000000020\nSeccomp:\t2\n');
    framework.kill('joined');
    await framework.reached('joined', 'TASK_KILLED');
  });

  test("no variable of a task makes the agent run as root what is the task's", async () => {
    const trap = 'mount mkdir setpriv mkfifo env perl';
    const ran = join(machine.folder, 'ran');
    const set = `for p in ${trap}; do printf '#!/bin/sh\\nid -u >>${ran}\\n' >$p; chmod +x $p; done; pwd`;
    const host = join(machine.folder, 'traps');
    mkdirSync(host);
    await finishes('sets-traps', `cd ${host} && ${set}`);
    const environment = { variables: [{ name: 'PATH', value: `${host}:/usr/bin:/bin` }] };
    const command = { value: 'true', user: 'nobody', environment };
    const volumes: Volume[] = [{ mode: 'RO', container_path: 'x', host_path: host }];
    framework.launch([{ id: 'trapper', command, container: { type: 'MESOS', volumes } }]);
    await framework.reached('trapper', 'TASK_FINISHED');
    assert.ok(!existsSync(ran));
  });

  test('another user cannot look into the sandbox of a task', async () => {
    framework.launch([
      { id: 'private', command: { value: 'echo x >f; sleep 600', user: 'daemon' } },
    ]);
    await framework.reached('private', 'TASK_RUNNING');
    const sandbox = await sandboxOf('private');
    await finishes('spy', `! ls ${sandbox} && ! cat ${sandbox}/f`, undefined, 'nobody');
    framework.kill('private');
  });

  test('a task of another user reaches its sandbox by its whole path, and nothing of the agent', async () => {
    // The test's own folder is its user's alone.
    chmodSync(machine.folder, 0o711);
    const home = join(machine.folder, 'agent');
    const script = `cd / && echo x >"$MESOS_SANDBOX/f" && cat "$MESOS_SANDBOX/f" && cd ${home} && ! ls . && ! ls meta && ! ls run`;
    await finishes('whole-path', script, undefined, 'nobody');
  });

  const noCgroups = { skip: hasCgroups ? false : 'no cgroups on this machine' };

  test('a device that is not on the list cannot be opened', noCgroups, async () => {
    await finishes(
      'devices',
      'mknod d b 1 0 && ! head -c 1 d && head -c 1 /dev/urandom >/dev/null',
    );
  });

  test('too much memory ends a task as Mesos says it', noCgroups, async () => {
    const script = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done';
    const end = await ended('hungry', script);
    assert.equal(end.state, 'TASK_FAILED');
    assert.equal(end.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');
    assert.equal(end.source, 'SOURCE_AGENT');
    assert.match(end.message ?? '', /^Memory limit exceeded: Requested: 32MB Maximum Used: \d+/);
    const limited = end.limitation?.resources?.map((one) => [one.name, one.scalar?.value]);
    assert.deepEqual(limited, [['mem', 32]]);
  });

  test('a fork bomb hurts only itself', noCgroups, async () => {
    const end = await ended('bomb', 'b() { b | b & }; b; sleep 0.5; exit 3');
    assert.equal(end.state, 'TASK_FAILED');
    await finishes('after the bomb', 'true');
  });
});
