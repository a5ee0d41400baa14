// Values of the flags of kube-apiserver, as the command line or an instance's file gives them.
import { Fault } from '#base/fault.ts';
import { parseDuration } from '#kube/meta/go-duration.ts';
import { flagKey } from './access-flag-names.ts';

/** Flag names as commander writes them: --token-auth-file is `tokenAuthFile`. */
export type AccessFlags = Readonly<Record<string, unknown>>;

export function badFlag(flag: string, why: string): Fault {
  return new Fault({ code: 'bad-option', flag }, `Cannot use --${flag}: ${why}`);
}

/** For a value that is none of its kind, as Go's flags tell it. */
export function badValue(flag: string, text: string, why: string): Fault {
  return badFlag(flag, `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: ${why}`);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
};

/** What Go says of a file that cannot be read. */
export function openProblem(path: string, error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  return `${code === 'EISDIR' ? 'read' : 'open'} ${path}: ${reasons[code] ?? code}`;
}

export function textFlag(flags: AccessFlags, flag: string): string | undefined {
  const value = flags[flagKey(flag)];
  return value === undefined || value === '' ? undefined : String(value);
}

/** Of a flag that may be given several times. */
export function textsFlag(flags: AccessFlags, flag: string): string[] {
  const value = flags[flagKey(flag)];
  return value === undefined ? [] : [value].flat().map(String);
}

/** Of a flag that takes several with commas, too. */
export function listFlag(flags: AccessFlags, flag: string): string[] {
  return textsFlag(flags, flag).flatMap((one) => (one === '' ? [] : one.split(',')));
}

/** Milliseconds. Throws Fault. */
export function durationFlag(flags: AccessFlags, flag: string, preset: string): number {
  const text = textsFlag(flags, flag).at(-1) ?? preset;
  const found = parseDuration(text);
  if (typeof found !== 'number') throw badValue(flag, text, found.why);
  return found;
}

/** As strconv.ParseBool takes them. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((one) => [one, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((one) => [one, false] as const),
]);

/** Throws Fault. */
export function booleanFlag(flags: AccessFlags, flag: string, preset: boolean): boolean {
  const text = textsFlag(flags, flag).at(-1) ?? String(preset);
  const found = booleans.get(text);
  if (found !== undefined) return found;
  throw badValue(flag, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}
