// Brings what the fetcher has no protocol for, by programs of the machine: the operator's own for a scheme
// (--fetcher_programs), curl for ftp and ftps (Mesos links libcurl), and for all else Hadoop's client, as Mesos
// does (inventory 3.5).
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface FetchPrograms {
  /** Scheme -> a program that is run as `PROGRAM URI FILE` and ends with 0 once FILE is there, whole. */
  readonly programs: ReadonlyMap<string, string>;
  /** Undefined: HADOOP_HOME says it, or `hadoop` is on the path. */
  readonly hadoopHome: string | undefined;
  /** A download of curl of which nothing comes for so long is given up. */
  readonly stallMs: number;
}

/** What is kept of a program's last words for the task's status. */
const WORDS_MAX = 4_096;

/** `{"s3": "/usr/local/bin/fetch-s3"}`; throws what is wrong with it. */
export function readFetchPrograms(text: string): ReadonlyMap<string, string> {
  if (text === '') return new Map();
  const given: unknown = JSON.parse(text);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Error('it is no object of schemes and programs');
  }
  const programs = new Map<string, string>();
  for (const [scheme, program] of Object.entries(given)) {
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) throw new Error(`"${scheme}" is no scheme`);
    if (/^(https?|file)$/.test(scheme)) throw new Error(`"${scheme}" needs no program`);
    if (typeof program !== 'string' || !program.startsWith('/')) {
      throw new Error(`the program for "${scheme}" is no absolute path`);
    }
    programs.set(scheme, program);
  }
  return programs;
}

function argvOf(
  uri: string,
  target: string,
  { programs, hadoopHome, stallMs }: FetchPrograms,
): readonly string[] {
  const scheme = uri.slice(0, uri.indexOf(':')).toLowerCase();
  const own = programs.get(scheme);
  if (own !== undefined) return [own, uri, target];
  if (scheme === 'ftp' || scheme === 'ftps') {
    const stall = ['--speed-limit', '1', '--speed-time', String(Math.ceil(stallMs / 1_000))];
    return ['curl', '--fail', '--silent', '--show-error', ...stall, '--output', target, '--', uri];
  }
  const home = hadoopHome ?? process.env['HADOOP_HOME'];
  const hadoop = home === undefined ? 'hadoop' : join(home, 'bin/hadoop');
  return [hadoop, 'fs', '-copyToLocal', uri, target];
}

/** Throws why it could not be brought, with the last line that the program has said. */
export async function bringByProgram(
  uri: string,
  target: string,
  options: FetchPrograms,
  signal?: AbortSignal,
): Promise<void> {
  const [program = '', ...args] = argvOf(uri, target, options);
  // A group of its own: what the program has started ends with it.
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let words = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => (words = (words + text).slice(-WORDS_MAX)));
  const stop = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted === true) stop();
  try {
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail);
      child.once('close', done);
    });
    signal?.throwIfAborted();
    if (code === 0) return;
    const said = words.trim().split('\n').at(-1) ?? '';
    const why = said === '' ? '' : `: ${said}`;
    throw new Error(`"${uri}" was not brought: ${program} ended with ${code ?? 'a signal'}${why}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`"${uri}" needs ${program}, which is not here`, { cause: error });
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
