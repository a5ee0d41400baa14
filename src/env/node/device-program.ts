// Which devices a cgroup of version 2 may use: the kernel has no file for it there, only a program at
// each device's opening. It is made here and given to the kernel by perl, as Node has no bpf(2).
import { spawnSync } from 'node:child_process';

/** As the files of version 1 have it: `c 1:3 rwm`, with stars. */
const RULE = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]+)$/;

const TYPES: Readonly<Record<string, number>> = { b: 1, c: 2 };
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ACCESS_ALL = 7;

const LOAD_WORD = 0x61;
const AND = 0x54;
const SHIFT_RIGHT = 0x74;
const MOVE = 0xbc;
const SET = 0xb7;
const UNLESS_EQUAL = 0x55;
const EXIT = 0x95;

interface Instruction {
  readonly code: number;
  readonly to: number;
  readonly from?: number | undefined;
  readonly offset?: number | undefined;
  readonly value?: number | undefined;
}

const R = { answer: 0, context: 1, type: 2, access: 3, major: 4, minor: 5 } as const;

/** Over struct bpf_cgroup_dev_ctx { access_type, major, minor }: what a rule names is let through. */
function ruleBody(rule: string): Instruction[] {
  const [, type = '', major = '', minor = '', access = ''] = RULE.exec(rule) ?? [];
  if (type === '') throw new Error(`"${rule}" is no rule for devices`);
  const allowed = [...access].reduce((sum, one) => sum | (ACCESS[one] ?? 0), 0);
  const tests: (readonly [number, number])[] = [];
  if (type !== 'a') tests.push([R.type, TYPES[type] ?? 0]);
  if (major !== '*') tests.push([R.major, Number(major)]);
  if (minor !== '*') tests.push([R.minor, Number(minor)]);
  const body: Instruction[] = tests.map(([to, value]) => ({ code: UNLESS_EQUAL, to, value }));
  if (allowed !== ACCESS_ALL) {
    body.push(
      { code: MOVE, to: R.answer, from: R.access },
      { code: AND, to: R.answer, value: ACCESS_ALL & ~allowed },
      { code: UNLESS_EQUAL, to: R.answer, value: 0 },
    );
  }
  body.push({ code: SET, to: R.answer, value: 1 }, { code: EXIT, to: 0 });
  // Each test that fails goes behind the rule.
  return body.map((one, at) =>
    one.code === UNLESS_EQUAL ? { ...one, offset: body.length - at - 1 } : one,
  );
}

/** The program (struct bpf_insn, little endian): nothing but what the rules name. */
export function deviceProgram(rules: readonly string[]): Uint8Array {
  const program: Instruction[] = [
    { code: LOAD_WORD, to: R.type, from: R.context, offset: 0 },
    { code: MOVE, to: R.access, from: R.type },
    { code: AND, to: R.type, value: 0xffff },
    { code: SHIFT_RIGHT, to: R.access, value: 16 },
    { code: LOAD_WORD, to: R.major, from: R.context, offset: 4 },
    { code: LOAD_WORD, to: R.minor, from: R.context, offset: 8 },
    ...rules.flatMap(ruleBody),
    { code: SET, to: R.answer, value: 0 },
    { code: EXIT, to: 0 },
  ];
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [at, { code, to, from = 0, offset = 0, value = 0 }] of program.entries()) {
    view.setUint8(at * 8, code);
    view.setUint8(at * 8 + 1, to | (from << 4));
    view.setInt16(at * 8 + 2, offset, true);
    view.setInt32(at * 8 + 4, value, true);
  }
  return bytes;
}

const BPF_CALL: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };

/**
 * BPF_PROG_LOAD of type CGROUP_DEVICE, then BPF_PROG_ATTACH beside what parents have; programs that
 * the group itself had before (BPF_PROG_QUERY) go only then, so that it is never without one.
 */
const ATTACH_SCRIPT = `my ($call,$folder)=(0+$ARGV[0],$ARGV[1]);
binmode(STDIN); local $/; my $program=<STDIN>; my $license="GPL\\0";
my $load=pack('LLPPLLQLLa16x16',15,length($program)/8,$program,$license,0,0,0,0,0,'strata');
my $fd=syscall($call,5,$load,length($load));
die "the program of devices is refused: $!\\n" if $fd<0;
open(my $d,'<',$folder) or die "$folder: $!\\n";
my $ids="\\0"x256;
my $query=pack('LLLLPLL',fileno($d),6,0,0,$ids,64,0);
syscall($call,16,$query,length($query))==0 or die "$folder does not tell its programs: $!\\n";
my $count=(unpack('LLLLQL',$query))[5];
my $attach=pack('LLLL',fileno($d),$fd,6,2);
syscall($call,8,$attach,length($attach))==0 or die "$folder takes no program of devices: $!\\n";
for my $id (unpack("L$count",$ids)) {
my $get=pack('LLL',$id,0,0);
my $old=syscall($call,13,$get,length($get));
my $detach=pack('LLLL',fileno($d),$old,6,0);
$old>=0 && syscall($call,9,$detach,length($detach))==0
or die "$folder keeps its program of devices: $!\\n"}`;

/** From now on what is in the cgroup may open only those, whatever it might before. Throws what the kernel says. */
export function allowDevices(folder: string, rules: readonly string[]): void {
  const call = BPF_CALL[process.arch];
  if (call === undefined) throw new Error(`devices cannot be limited on ${process.arch}`);
  const { status, stderr, error } = spawnSync('perl', ['-e', ATTACH_SCRIPT, String(call), folder], {
    input: deviceProgram(rules),
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(stderr.trim());
}
