// Starts shims. A fork of an agent costs it 4 to 7 ms in which it does nothing else, and its pages are copied
// after it; so a helper of a few MB is forked once and then forks the shims. Without it they are forked here.
import { type ChildProcess, spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import type { Socket } from 'node:net';

export interface ShimStart {
  readonly shell: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors of the outputs. */
  readonly out: number;
  readonly err: number;
  /** Where the FIFO `life` is. */
  readonly stateFolder: string;
  /** Where there is one, and the /proc of Linux. */
  readonly perl: string | undefined;
}

/** It is ended after that, to be started again: an agent without work has no need of it. */
const IDLE_MS = 60_000;

/**
 * Argument: pid of the starter. Requests on standard input, each after its length (4 bytes), its words apart by
 * NUL: id, output, error, state folder, number of variables, those, program, arguments. Answers, a
 * line each: `ready`; `started ID` once the command is about to be executed or the shim has ended, `failed ID WHY`
 * when there is no shim. The kernel reaps what has ended; the end of standard input ends the helper alone.
 */
const HELPER_SCRIPT = `use POSIX ();
$SIG{CHLD}='IGNORE';
my $fds="/proc/$ARGV[0]/fd";
opendir(my $d,$fds) or exit 1;
closedir $d;
my ($in,$bits,%starts)=('','');
vec($bits,0,1)=1;
sub tell_ {my $b=join(' ',@_)."\\n"; while (length $b) {my $n=syswrite(STDOUT,$b) or exit; substr($b,0,$n)=''}}
sub start {
my ($id,$out,$err,$folder,$n,@w)=@_;
my %env=map {split /=/,$_,2} splice(@w,0,$n);
POSIX::mkfifo("$folder/life",0600);
pipe(my $r,my $w) or return tell_('failed',$id,$!);
my $pid=fork();
return tell_('failed',$id,$!) unless defined $pid;
if ($pid) {vec($bits,fileno $r,1)=1; $starts{fileno $r}=[$id,$r]; return}
$SIG{CHLD}='DEFAULT';
POSIX::setsid();
my $ok=open(STDIN,'<','/dev/null') && open(STDOUT,'>>',"$fds/$out") && open(STDERR,'>>',"$fds/$err");
%ENV=%env;
if ($ok && fileno($w)!=3) {$ok=POSIX::dup2(fileno $w,3)}
elsif ($ok) {require Fcntl; $ok=fcntl($w,Fcntl::F_SETFD(),0)}
exec {$w[0]} @w if $ok;
syswrite($w,"!$!");
POSIX::_exit(125)}
tell_('ready');
while (1) {
select(my $readable=$bits,undef,undef,undef)>0 or next;
for my $fd (grep {vec($readable,$_,1)} keys %starts) {
my ($id,$r)=@{delete $starts{$fd}};
vec($bits,$fd,1)=0;
sysread($r,my $b,1024);
close $r;
if (defined $b && $b=~/^!(.*)/) {tell_('failed',$id,$1)} else {tell_('started',$id)}}
next unless vec($readable,0,1);
sysread(STDIN,$in,65536,length $in) or exit;
while (length $in>=4) {
my $n=unpack('N',$in);
last if length $in<4+$n;
my @w=split(/\\0/,substr($in,4,$n),-1);
substr($in,0,4+$n)='';
start(@w)}}`;

/** `lost`: nobody knows what has become of it. */
export type ShimStarted = 'over' | 'lost';

interface Pending {
  readonly done: (how: ShimStarted) => void;
  readonly fail: (error: Error) => void;
}

/** One running helper; after its end it takes nothing more. */
class Helper {
  readonly perl: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<string, Pending>();
  #state: 'starting' | 'ready' | 'ended' = 'starting';
  #text = '';
  #count = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(perl: string) {
    this.perl = perl;
    this.#child = spawn(perl, ['-e', HELPER_SCRIPT, '--', String(process.pid)], {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      // What ends a terminal's processes is for the agent, which then ends this.
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.once('error', () => this.#onEnd());
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.once('close', () => this.#onEnd());
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#onText(text));
    this.#child.unref();
    this.#hold(false);
    this.#rest();
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** `lost`: the helper has ended before it answered. */
  start(frame: (id: string) => Buffer): Promise<ShimStarted> {
    this.#count += 1;
    const id = String(this.#count);
    return new Promise((done, fail) => {
      this.#pending.set(id, { done, fail });
      clearTimeout(this.#idle);
      this.#hold(true);
      this.#child.stdin?.write(frame(id));
    });
  }

  #onText(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const [what = '', id = '', ...why] = line.split(' ');
      if (what === 'ready') this.#state = 'ready';
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (what === 'failed') pending?.fail(new Error(why.join(' ')));
      else pending?.done('over');
    }
    if (this.#pending.size > 0) return;
    this.#hold(false);
    this.#rest();
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#state = 'ended';
      this.#child.stdin?.end();
    }, IDLE_MS).unref();
  }

  #onEnd(): void {
    this.#state = 'ended';
    clearTimeout(this.#idle);
    for (const { done } of this.#pending.values()) done('lost');
    this.#pending.clear();
    this.#hold(false);
  }

  /** Whether the event loop waits for it. */
  #hold(isHeld: boolean): void {
    for (const pipe of [this.#child.stdin, this.#child.stdout] as (Socket | null)[]) {
      if (isHeld) pipe?.ref();
      else pipe?.unref();
    }
  }
}

let helper: Helper | undefined;

/**
 * Resolves once the command is about to be executed in the shim's child or the shim has ended (its state folder
 * tells), or the helper with it; rejects when there is no shim.
 */
export async function startShim(start: ShimStart): Promise<ShimStarted> {
  const { perl } = start;
  if (perl === undefined || !isHelped(start)) return forkShim(start);
  if (helper?.isEnded !== false || helper.perl !== perl) helper = new Helper(perl);
  // Whoever comes first has no reason to wait for it.
  return helper.isReady ? helper.start((id) => frameOf(id, start)) : forkShim(start);
}

/** Its outputs can be opened a second time, and its words be told apart. */
function isHelped({ args, env, out, err }: ShimStart): boolean {
  return (
    [out, err].every((fd) => fstatSync(fd).isFile()) &&
    ![...args, ...Object.keys(env), ...Object.values(env)].some((word) => word.includes('\0'))
  );
}

function frameOf(id: string, { shell, args, env, out, err, stateFolder }: ShimStart): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const words = [id, out, err, stateFolder, variables.length, ...variables, shell, ...args];
  const body = Buffer.from(words.join('\0'));
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32BE(body.length);
  body.copy(frame, 4);
  return frame;
}

async function forkShim({ shell, args, env, out, err }: ShimStart): Promise<ShimStarted> {
  const child = spawn(shell, args, {
    cwd: '/',
    env,
    detached: true,
    stdio: ['ignore', out, err, 'pipe'],
  });
  child.unref();
  const started = pipeEnd(child);
  await new Promise<void>((done, fail) => {
    child.once('spawn', done);
    child.once('error', fail);
  });
  await started;
  return 'over';
}

function pipeEnd(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    const pipe = child.stdio?.[3] as Socket | null | undefined;
    // No shim, no pipe: its 'error' event says why.
    if (pipe === undefined || pipe === null) return done();
    pipe.on('error', () => {});
    pipe.once('close', () => done());
    // A tool that waits for the command in its own namespaces keeps the other end.
    pipe.once('data', () => pipe.destroy());
  });
}
