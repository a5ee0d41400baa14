// What the command line and the environment say to `strata master` and `strata agent`, with commands
// and files read for those that name some.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Fault } from '#base/fault.ts';
import type { EnvOptions } from '#env/node/env.ts';
import { environmentFlags, namedFlags } from '#mesos/flags/flag-table.ts';
import { withMesosOptions } from '#mesos/flags/program-options.ts';

const SHELL_MS_MAX = 30_000;

const sources = {
  readFile(path: string): string {
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      const message = `Cannot start: the file "${path}" of a flag cannot be read`;
      throw new Fault({ code: 'bad-flag' }, message, { cause });
    }
  },
  shell(command: string): string {
    try {
      return execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8', timeout: SHELL_MS_MAX });
    } catch (cause) {
      const message = `Cannot start: flag "ip_discovery_command": "${command}" failed`;
      throw new Fault({ code: 'bad-flag', name: 'ip_discovery_command' }, message, { cause });
    }
  },
};

/** Options of before are of the command's own type, as those that come back are. */
export function mesosOptions<T extends object>(
  program: 'master' | 'agent',
  options: T,
  command: Command,
): T {
  const named = Object.keys(options).filter((key) => command.getOptionValueSource(key) === 'cli');
  const given = {
    options: options as Readonly<Record<string, unknown>>,
    named: new Set(named),
    rest: command.args,
    environment: process.env,
  };
  return withMesosOptions(program, given, sources) as unknown as T;
}

const LEVELS: Readonly<Record<string, EnvOptions['logLevel']>> = {
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
};

/** --log_dir, --logging_level and --quiet, which the environment may give as well. */
export function logOptions(
  program: 'master' | 'agent',
  { flag }: { readonly flag?: readonly string[] | undefined },
): Partial<Pick<EnvOptions, 'logFiles' | 'logLevel' | 'isQuiet'>> {
  const names = ['log_dir', 'logging_level', 'quiet'];
  const flags = {
    ...environmentFlags(process.env, (name) => names.includes(name)),
    ...namedFlags(flag ?? []),
  };
  const { log_dir: folder = '', logging_level: level = '', quiet } = flags;
  const logLevel = process.env['STRATA_LOG_LEVEL'] === undefined ? LEVELS[level] : undefined;
  return {
    ...(folder === '' ? {} : { logFiles: { folder, program: `mesos-${program}` } }),
    ...(logLevel === undefined ? {} : { logLevel }),
    isQuiet: quiet === 'true' || quiet === '1',
  };
}
