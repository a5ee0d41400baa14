// Pieces that the flags of master and agent share which have nothing to set here, and the address under
// which others find either of them.
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { bool, count, flag } from './flag-table.ts';

export const LOGGING = 'every line of the log is written at once';

export function off(name: string): (text: string) => boolean {
  return (text) => {
    if (bool(text)) throw new Error(`there is no support for '--${name}'`);
    return false;
  };
}

export function noModule(text: string): string {
  if (text !== '') throw new Error(`there is no module '${text}': no shared libraries are loaded`);
  return text;
}

/** Shown as the log: a file that is named, or that of --log_dir, as Mesos names it. */
export function shownLog(
  program: 'master' | 'agent',
  given: { readonly file: string | undefined; readonly folder: string | undefined },
): string | undefined {
  const { file, folder } = given;
  if (file !== undefined || folder === undefined) return file;
  return join(folder, `mesos-${program}.INFO`);
}

/** An address that others reach: four numbers, as MasterInfo has them. */
function address(text: string): string | undefined {
  if (text !== '' && !isIPv4(text)) throw new Error(`"${text}" is no IPv4 address`);
  return text === '' ? undefined : text;
}

function port(text: string): number | undefined {
  if (text === '') return undefined;
  const number = count(text);
  if (number < 1 || number > 65_535) throw new Error(`"${text}" is no port`);
  return number;
}

/** Under which address others find this process, when it is not the one on which it listens. */
export const advertisedKinds = {
  advertise_ip: flag('', address),
  advertise_port: flag('', port),
} as const;

/** What to say of each flag that was given and changes nothing. */
export function idleFlags(
  given: Readonly<Record<string, string>>,
  reasons: Partial<Record<string, string>>,
): readonly { readonly name: string; readonly reason: string }[] {
  return Object.keys(given).flatMap((name) => {
    const reason = Object.hasOwn(reasons, name) ? reasons[name] : undefined;
    return reason === undefined ? [] : [{ name, reason }];
  });
}
