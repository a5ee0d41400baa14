// Where the output of a process goes: a file, or a logger of its own that keeps its file below a size.
// The logger outlives its starter and ends with the last one who could write to it.
import { execFile, spawn } from 'node:child_process';
import { closeSync, constants, fchownSync, openSync, statSync } from 'node:fs';
import { chown, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { LogRotation, ProcessSpec } from '#env/process.ts';

const run = promisify(execFile);

/**
 * Arguments: file in its folder, most bytes, files to keep, `gz` (or ''), uid and gid (each or ''). It runs as the
 * command's user, so what that makes of the folder leads it nowhere. Full, the file is copied and begins
 * anew: who follows it by its name or by a descriptor sees it become shorter.
 */
const LOGGER_SCRIPT = `my ($path,$max,$keep,$gz,$uid,$gid)=@ARGV;
if ($gid ne '') {$)="$gid $gid"; $(=$gid}
if ($uid ne '') {$<=$uid; $>=$uid}
$SIG{$_}='IGNORE' for qw(HUP INT TERM QUIT);
sub begin {open(F,'>>',$path) or exit 1; select((select(F),$|=1)[0])}
begin();
my $size=-s F;
sub rotate {
for (my $i=$keep-1; $i>0; $i--) {for my $e ('','.gz') {
my ($from,$to)=("$path.$i$e","$path.".($i+1).$e);
unlink $to; rename $from,$to if -e $from}}
if ($keep>0) {
my ($in,$out,$b);
if (open($in,'<',$path) && open($out,'>',"$path.1")) {
while (sysread($in,$b,65536)) {syswrite($out,$b)}
close $out; system('gzip','-f',"$path.1") if $gz ne ''}}
truncate(F,0); $size=0}
while (1) {
my $n=sysread(STDIN,my $b,65536);
next if !defined $n && $!{EINTR};
last unless $n;
while (length $b) {
rotate() if $size>=$max;
my $part=substr($b,0,$max-$size,'');
my $done=syswrite(F,$part);
$size+=length $part}}`;

/** A descriptor. It is done at once: no thread is as fast with it. */
function openFile(path: string, spec: ProcessSpec): number {
  const existing = statSync(path, { throwIfNoEntry: false });
  // Opening a FIFO for writing alone would block until somebody reads.
  if (existing?.isFIFO() === true) return openSync(path, constants.O_RDWR);
  const file = openSync(path, 'a', 0o644);
  if (existing === undefined && (spec.uid !== undefined || spec.gid !== undefined)) {
    fchownSync(file, spec.uid ?? process.getuid?.() ?? 0, spec.gid ?? process.getgid?.() ?? 0);
  }
  return file;
}

interface Logger {
  /** The writing end of a pipe to it. */
  readonly writer: number;
  /** The pipe by its name, for others to write to. */
  readonly fifo: string;
}

/** A logger that has started. */
async function openLogger(
  path: string,
  spec: ProcessSpec,
  { bytesMax, filesMax, compresses }: LogRotation,
  perl: string,
): Promise<Logger> {
  const { uid, gid, stateFolder } = spec;
  closeSync(openFile(path, spec));
  const fifo = join(stateFolder, path === spec.stdoutPath ? 'stdout' : 'stderr');
  await run('mkfifo', ['-m', '600', fifo]);
  if (uid !== undefined || gid !== undefined) await chown(fifo, uid ?? 0, gid ?? 0);
  const both = await open(fifo, constants.O_RDWR);
  try {
    const [reader, writer] = [openSync(fifo, 'r'), openSync(fifo, constants.O_WRONLY)];
    const words = [
      basename(path),
      bytesMax,
      filesMax,
      compresses ? 'gz' : '',
      uid ?? '',
      gid ?? '',
    ];
    const child = spawn(perl, ['-e', LOGGER_SCRIPT, '--', ...words.map(String)], {
      // Its user may be kept out of the folders above.
      cwd: dirname(path),
      env: { PATH: '/usr/bin:/bin' },
      detached: true,
      stdio: [reader, 'ignore', 'ignore'],
    });
    child.unref();
    try {
      await new Promise<void>((done, fail) => {
        child.once('spawn', done);
        child.once('error', fail);
      });
    } catch (error) {
      closeSync(writer);
      throw error;
    } finally {
      closeSync(reader);
    }
    return { writer, fifo };
  } finally {
    await both.close();
  }
}

/** Opens one of a process's outputs (a descriptor); the caller closes it once the process has it. */
export async function openOutput(
  path: string,
  spec: ProcessSpec,
  perl: string | undefined,
): Promise<number> {
  const rotation = rotationOf(path, spec);
  if (rotation === undefined) return openFile(path, spec);
  if (perl === undefined) throw new Error('the machine has no "perl"');
  const { writer, fifo } = await openLogger(path, spec, rotation, perl);
  await rm(fifo);
  return writer;
}

function rotationOf(path: string, spec: ProcessSpec): LogRotation | undefined {
  return path === spec.stdoutPath ? spec.rotation?.stdout : spec.rotation?.stderr;
}

/**
 * Where another process that writes on behalf of this one is to write: the file itself, or a pipe to its logger.
 * `release` is called once that one has it open.
 */
export async function outputPlace(
  path: string,
  spec: ProcessSpec,
  perl: string | undefined,
): Promise<{ readonly path: string; release(): void }> {
  const rotation = rotationOf(path, spec);
  if (rotation === undefined) {
    closeSync(openFile(path, spec));
    return { path, release: () => {} };
  }
  if (perl === undefined) throw new Error('the machine has no "perl"');
  const { writer, fifo } = await openLogger(path, spec, rotation, perl);
  return { path: fifo, release: () => closeSync(writer) };
}
