// What a process host without a POSIX shell asks of the operating system: which processes there are, whose they are,
// and how one is asked to end. Windows answers by PowerShell (CIM) and taskkill; nothing else of it is used.
import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import type { ProcessUsage, Signal } from '#env/process.ts';

export interface ProcessRow {
  readonly pid: number;
  /** Also of a parent that has ended. */
  readonly parentPid: number;
  /** Undefined where the system does not tell. */
  readonly startedAtMs: number | undefined;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export interface ProcessTools {
  readonly name: string;
  /** Where a shim is reached, whose state folder has that name. */
  pipeOf(stateFolder: string): string;
  table(): Promise<readonly ProcessRow[]>;
  /** Sends a signal, or what comes next to it. `group`: to all that it has started, too. */
  signal(pid: number, signal: Signal, scope: 'process' | 'group'): Promise<void>;
}

/** A process and all that it and its children have started, the oldest first. */
export function withDescendants(rows: readonly ProcessRow[], leader: number): ProcessRow[] {
  const own = new Set([leader]);
  for (let size = -1; size !== own.size;) {
    size = own.size;
    for (const { pid, parentPid } of rows) if (own.has(parentPid)) own.add(pid);
  }
  return rows.filter(({ pid }) => own.has(pid));
}

export function usageOfRows(rows: readonly ProcessRow[], leader: number): ProcessUsage {
  const mine = withDescendants(rows, leader);
  return {
    cpuSeconds: mine.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    memoryBytes: mine.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    processCount: mine.length,
  };
}

/** A program's standard output; rejects when it does not end with 0. */
export type Run = (file: string, args: readonly string[]) => Promise<string>;

const execute = promisify(execFile);
const runProgram: Run = async (file, args) =>
  (await execute(file, [...args], { windowsHide: true, maxBuffer: 1 << 26 })).stdout;

/** Times are in 100 nanoseconds; a process without a date is the system's own. */
const QUERY = [
  'Get-CimInstance Win32_Process',
  "Select-Object ProcessId,ParentProcessId,@{n='Started';e={if ($_.CreationDate) {$_.CreationDate.ToUniversalTime().ToString('o')}}},KernelModeTime,UserModeTime,WorkingSetSize",
  'ConvertTo-Json -Compress',
].join(' | ');

interface CimProcess {
  readonly ProcessId: number;
  readonly ParentProcessId: number;
  readonly Started: string | null;
  readonly KernelModeTime: number | null;
  readonly UserModeTime: number | null;
  readonly WorkingSetSize: number | null;
}

/** Of one process alone PowerShell makes no list. */
export function rowsOfCim(json: string): ProcessRow[] {
  const parsed = JSON.parse(json) as CimProcess | readonly CimProcess[];
  const all: readonly CimProcess[] = Array.isArray(parsed) ? parsed : [parsed as CimProcess];
  return all.map((one) => ({
    pid: one.ProcessId,
    parentPid: one.ParentProcessId,
    startedAtMs: one.Started === null ? undefined : Date.parse(one.Started),
    cpuSeconds: ((one.KernelModeTime ?? 0) + (one.UserModeTime ?? 0)) / 1e7,
    memoryBytes: one.WorkingSetSize ?? 0,
  }));
}

/** `kill`: ends a process at once; throws when there is none. */
export function windowsTools(
  run: Run = runProgram,
  kill: (pid: number) => void = (pid) => process.kill(pid, 'SIGKILL'),
): ProcessTools {
  const table = async (): Promise<ProcessRow[]> => {
    const how = ['-NoProfile', '-NonInteractive', '-Command', QUERY];
    return rowsOfCim(await run('powershell.exe', how));
  };
  const end = (pid: number): void => {
    try {
      kill(pid);
    } catch {
      // It has ended by itself.
    }
  };
  return {
    name: 'windows',
    pipeOf: (stateFolder) => `\\\\.\\pipe\\strata-${hash('sha256', stateFolder)}`,
    table,
    async signal(pid, signal, scope) {
      if (signal === 'SIGKILL') {
        const rows = scope === 'group' ? withDescendants(await table(), pid) : [];
        // The first one first: it starts no others then.
        for (const one of [pid, ...rows.map((row) => row.pid).filter((own) => own !== pid)])
          end(one);
        return;
      }
      // Who has no window does not hear it: a program of the console goes on until it is killed.
      if (!['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'].includes(signal)) return;
      const tree = scope === 'group' ? ['/T'] : [];
      await run('taskkill.exe', [...tree, '/PID', String(pid)]).catch(() => '');
    },
  };
}
