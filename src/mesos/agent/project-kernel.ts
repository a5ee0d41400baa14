// Project quotas of XFS as the kernel has them: ids of folders by ioctl(2), bounds and usage by quotactl(2).
// Perl, which every Debian has, makes both calls; for project-quotas.ts.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, statfsSync, statSync } from 'node:fs';

export interface ProjectUsage {
  readonly usedBytes: number;
  /** 0: no bound. */
  readonly softBytes: number;
  readonly hardBytes: number;
}

/** What is asked of the kernel; each rejects with the kernel's words. */
export interface ProjectKernel {
  /** 0 for each of these folders that has none or is not there. */
  projectsOf(paths: readonly string[]): Promise<readonly number[]>;
  /** Of a folder and all in it, now and later. Links and devices in it stay as they are. */
  assign(path: string, project: number): Promise<void>;
  /** On the file system that `device` is; 0 for none. */
  bound(device: string, project: number, softBytes: number, hardBytes: number): Promise<void>;
  usage(device: string, project: number): Promise<ProjectUsage>;
  /** What is mounted where the folder is. Throws unless that keeps quotas of projects. */
  deviceOf(path: string): string;
}

const XFS_MAGIC = 0x58465342;
const BLOCK_BYTES = 512;
const CALL: Readonly<Record<string, number>> = { x64: 179, arm64: 60 };

/**
 * Standard input: words with zeros between them. `get PATH`, `put PATH ID`, `set DEVICE ID SOFT HARD` and
 * `ask DEVICE ID` in blocks, `on DEVICE`; one line is answered to each, with `!` before what went wrong.
 * struct fsxattr is XIIIIIa8, struct fs_disk_quota as below; what is no folder and no file is not opened.
 */
const SCRIPT = `use Fcntl qw(:DEFAULT :mode); my $call=0+$ARGV[0];
binmode(STDIN); local $/; my @words=split(/\\0/,<STDIN>,-1);
my ($GET,$PUT)=(0x801c581f,0x401c5820);
sub attrs {my $b="\\0"x28; ioctl($_[0],$GET,$b) or return; return unpack('L5a8',$b)}
sub opened {my $kind=$_[1]; sysopen(my $f,$_[0],O_RDONLY|O_NOFOLLOW|O_NONBLOCK) or return; return $f}
sub put {my ($path,$id)=@_; my @s=lstat($path) or return 1;
my $is=S_ISDIR($s[2]); return 1 unless $is || S_ISREG($s[2]);
my $f=opened($path) or return $!{ENOENT}; my @a=attrs($f) or return 0;
$a[0]|=0x200 if $is; $a[3]=$id; my $b=pack('L5a8',@a); ioctl($f,$PUT,$b) or return 0;
return 1 unless $is; opendir(my $d,$path) or return 0;
for (readdir($d)) {next if $_ eq '.' || $_ eq '..'; put("$path/$_",$id) or return 0} return 1}
sub quota {my ($op,$device,$id,$b)=@_;
syscall($call,(0x5800+$op)<<8|2,$device,0+$id,$_[3])==0}
my $layout='CCSLQQQQQQllSSa4QQQlSSa8';
while (@words>1) {my $op=shift @words; my $said='';
if ($op eq 'get') {my $f=opened(shift @words); my @a=$f ? attrs($f) : (); $said=@a ? $a[3] : 0}
elsif ($op eq 'put') {my ($p,$id)=splice(@words,0,2); $said=put($p,$id) ? 'ok' : "!$!"}
elsif ($op eq 'set') {my ($d,$id,$soft,$hard)=splice(@words,0,4);
my $b=pack($layout,1,2,12,$id,$hard,$soft,0,0,0,0,0,0,0,0,'',0,0,0,0,0,0,''); $said=quota(4,$d,$id,$b) ? 'ok' : "!$!"}
elsif ($op eq 'ask') {my ($d,$id)=splice(@words,0,2); my $b="\\0"x112;
if (quota(3,$d,$id,$b)) {my @q=unpack($layout,$b); $said="$q[8] $q[5] $q[4]"}
else {$said=$!{ENOENT} ? '0 0 0' : "!$!"}}
elsif ($op eq 'on') {my $b="\\0"x512; $said=quota(5,shift @words,0,$b) ? unpack('x2S',$b) : "!$!"}
print "$said\\n"}`;

function argumentsOf(): string[] {
  const call = CALL[process.arch];
  if (call === undefined) throw new Error(`quotas of projects are not known on ${process.arch}`);
  return ['-e', SCRIPT, String(call)];
}

function inputOf(requests: readonly (readonly (string | number)[])[]): string {
  return requests.flatMap((words) => words.map((word) => `${word}\0`)).join('');
}

function answersOf(text: string, count: number): readonly string[] {
  const lines = text.split('\n').slice(0, -1);
  if (lines.length !== count) throw new Error('perl has not answered for every project');
  const problem = lines.find((line) => line.startsWith('!'));
  if (problem !== undefined) throw new Error(problem.slice(1));
  return lines;
}

function ask(requests: readonly (readonly (string | number)[])[]): Promise<readonly string[]> {
  if (requests.length === 0) return Promise.resolve([]);
  return new Promise((done, fail) => {
    const child = spawn('perl', argumentsOf(), { stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', fail);
    child.once('close', () => {
      try {
        done(answersOf(said, requests.length));
      } catch (error) {
        fail(error);
      }
    });
    child.stdin.on('error', () => {});
    child.stdin.end(inputOf(requests));
  });
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - xfs /dev/root rw` */
function mountedAt(path: string): string | undefined {
  const { dev } = statSync(path);
  const number = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((one) => one.split(' ')[2] === number);
  return line?.split(' - ')[1]?.split(' ')[1];
}

const ACCOUNTED_OR_ENFORCED = 0x30;

export const linuxProjects: ProjectKernel = {
  async projectsOf(paths) {
    return (await ask(paths.map((path) => ['get', path]))).map(Number);
  },
  async assign(path, project) {
    await ask([['put', path, project]]);
  },
  async bound(device, project, softBytes, hardBytes) {
    const blocks = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES);
    await ask([['set', device, project, blocks(softBytes), blocks(hardBytes)]]);
  },
  async usage(device, project) {
    const [line = ''] = await ask([['ask', device, project]]);
    const [used = 0, soft = 0, hard = 0] = line
      .split(' ')
      .map((word) => Number(word) * BLOCK_BYTES);
    return { usedBytes: used, softBytes: soft, hardBytes: hard };
  },
  deviceOf(path) {
    if (statfsSync(path).type !== XFS_MAGIC) throw new Error(`'${path}' is not an XFS filesystem`);
    const device = mountedAt(path) ?? '';
    const off = new Error(`XFS project quotas are not enabled on '${path}'`);
    const input = inputOf([['on', device]]);
    const { stdout, error } = spawnSync('perl', argumentsOf(), { input, encoding: 'utf8' });
    if (error !== undefined) throw error;
    const isOn = (Number(stdout) & ACCOUNTED_OR_ENFORCED) !== 0;
    if (!isOn) throw off;
    return device;
  },
};
