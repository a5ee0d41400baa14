// The process host without a POSIX shell, run here with this system's processes: the port's conformance suite. What is
// Windows' own (PowerShell's table, taskkill) is shown by what it is asked and by answers as its documentation has them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { processConformance } from '#env/conformance/process.ts';
import { isWritten } from '#test/support/cluster.ts';
import { temporaryFolders } from '#test/support/temporary-folders.ts';
import type { ProcessSpec } from '#env/process.ts';
import { systemClock, systemTimers } from './clock.ts';
import { secondsOf } from './platform.ts';
import { PortableProcessHost } from './portable-host.ts';
import { type ProcessTools, rowsOfCim, usageOfRows, windowsTools } from './process-table.ts';

const COLUMNS = ['pid=', 'ppid=', 'pgid=', 'time=', 'rss=', 'lstart='].flatMap((it) => ['-o', it]);
const env = { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' };

/** By ps(1); who has lost its parent is the child of its group's leader. */
const posixTools: ProcessTools = {
  name: 'posix',
  pipeOf: (stateFolder) => join(stateFolder, 'shim.sock'),
  table: async () =>
    execFileSync('ps', ['-ax', ...COLUMNS], { env, encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => {
        const [pid, parent, group, time = '', rss, ...started] = line.trim().split(/\s+/);
        return {
          pid: Number(pid),
          parentPid: parent === '1' ? Number(group) : Number(parent),
          startedAtMs: Date.parse(started.join(' ')),
          cpuSeconds: secondsOf(time),
          memoryBytes: Number(rss) * 1024,
        };
      }),
  signal: async (pid, signal, scope) => {
    process.kill(scope === 'group' ? -pid : pid, signal as NodeJS.Signals);
  },
};

const temporary = temporaryFolders('strata-portable-');
const keepAlive = setInterval(() => {}, 1000);
after(() => clearInterval(keepAlive));

const newHost = (): PortableProcessHost =>
  new PortableProcessHost({ clock: systemClock, timers: systemTimers, tools: posixTools });

function wordsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function shimPid(stateFolder: string): number {
  const isShim = (name: string): boolean => {
    const words = wordsOf(name);
    return words[3] === 'strata-shim' && words[4] === stateFolder;
  };
  return Number(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .find(isShim),
  );
}

processConformance('portable process host', async () => ({
  host: newHost(),
  folder: temporary(),
  successor: newHost,
  killShim: (stateFolder) => process.kill(shimPid(stateFolder), 'SIGKILL'),
  elapse: (ms) => new Promise((done) => systemTimers.after(ms, done)),
  isDeaf: ({ stdoutPath }) => isWritten(stdoutPath),
  commands: {
    exitsWith: (code) => ['sh', '-c', `exit ${code}`],
    sleepsMs: (ms) => ['sleep', String(ms / 1000)],
    ignoresTerm: () => ['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 60; done'],
    cannotStart: () => ({ cwd: '/no/such/folder' }),
  },
}));

function aSpec(folder: string, argv: readonly string[]): ProcessSpec {
  return {
    stateFolder: join(folder, 'a'),
    argv,
    env: { PATH: '/usr/bin:/bin', ONE: 'a b' },
    cwd: folder,
    stdoutPath: join(folder, 'out'),
    stderrPath: join(folder, 'err'),
  };
}

test('a command has its folder and environment and no others, and its use is counted', async () => {
  const [host, folder] = [newHost(), temporary()];
  const spec = aSpec(folder, ['sh', '-c', 'pwd; echo "$ONE"; echo $HOME; sleep 600 & wait']);
  const started = await host.launch(spec);
  while ((await readFile(spec.stdoutPath, 'utf8')) !== `${folder}\na b\n\n`) {
    await new Promise<void>((done) => systemTimers.after(5, done));
  }
  const usage = await host.usage(spec.stateFolder);
  assert.equal(usage?.processCount, 2);
  assert.ok((usage?.memoryBytes ?? 0) > 0);
  await host.dispose(spec.stateFolder);
  assert.deepEqual({ ...(await started.exited), at: 0 }, { kind: 'signaled', signal: 9, at: 0 });
  assert.equal(await host.usage(spec.stateFolder), undefined);
});

test('a command that is not there ends with 127; what is not here is refused', async () => {
  const [host, folder] = [newHost(), temporary()];
  const spec = aSpec(folder, ['no-such-command']);
  const status = await (await host.launch(spec)).exited;
  assert.equal(status.kind === 'exited' && status.code, 127);
  await host.dispose(spec.stateFolder);
  const asks = { ...spec, namespaces: { pid: 'new' } } as const;
  await assert.rejects(host.launch(asks), (error) => faultCode(error) === 'process-launch');
});

const TABLE = JSON.stringify([
  { ProcessId: 0, ParentProcessId: 0, Started: null, KernelModeTime: null, UserModeTime: null },
  {
    ProcessId: 40,
    ParentProcessId: 7,
    Started: '2026-11-29T10:00:00.0000000Z',
    KernelModeTime: 5_000_000,
    UserModeTime: 10_000_000,
    WorkingSetSize: 4096,
  },
  {
    ProcessId: 41,
    ParentProcessId: 40,
    Started: '2026-11-29T10:00:01.5000000Z',
    WorkingSetSize: 1,
  },
  {
    ProcessId: 42,
    ParentProcessId: 41,
    Started: '2026-11-29T10:00:02.0000000Z',
    WorkingSetSize: 1,
  },
  { ProcessId: 50, ParentProcessId: 7, Started: '2026-11-29T10:00:00.0000000Z', WorkingSetSize: 9 },
]);

test('Windows: the table of processes is read', () => {
  const rows = rowsOfCim(TABLE);
  assert.deepEqual(rows[1], {
    pid: 40,
    parentPid: 7,
    startedAtMs: Date.UTC(2026, 10, 29, 10),
    cpuSeconds: 1.5,
    memoryBytes: 4096,
  });
  assert.equal(rows[0]?.startedAtMs, undefined);
  assert.deepEqual(usageOfRows(rows, 40), { cpuSeconds: 1.5, memoryBytes: 4098, processCount: 3 });
  assert.equal(rowsOfCim('{"ProcessId":1,"ParentProcessId":0,"Started":null}').length, 1);
});

test('Windows: who is killed goes first, then what it has started; others are asked by taskkill', async () => {
  const asked: string[] = [];
  const killed: number[] = [];
  const run = async (file: string, args: readonly string[]): Promise<string> => {
    asked.push([file, ...args.filter((one) => !one.includes('Get-CimInstance'))].join(' '));
    if (file === 'taskkill.exe') throw new Error('This process can only be terminated forcefully');
    return TABLE;
  };
  const tools = windowsTools(run, (pid) => {
    killed.push(pid);
    if (pid === 41) throw new Error('ESRCH');
  });
  await tools.signal(40, 'SIGKILL', 'group');
  assert.deepEqual(killed, [40, 41, 42]);
  await tools.signal(50, 'SIGKILL', 'process');
  assert.deepEqual(killed, [40, 41, 42, 50]);
  await tools.signal(40, 'SIGTERM', 'group');
  await tools.signal(40, 'SIGUSR1', 'process');
  assert.deepEqual(asked, [
    'powershell.exe -NoProfile -NonInteractive -Command',
    'taskkill.exe /T /PID 40',
  ]);
  assert.match(tools.pipeOf('C:\\home\\a'), /^\\\\\.\\pipe\\strata-[0-9a-f]+$/);
});
