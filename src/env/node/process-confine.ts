// The last program of the machine's before a confined command: root, identity, capabilities, system
// calls and environment. Perl, which every Debian has, makes the calls that util-linux 2.38 has not.
import { readFileSync } from 'node:fs';
import { CAPABILITIES } from '#base/capabilities.ts';
import type { ProcessSpec } from '#env/process.ts';

/** prctl, capget, capset, setgroups, setresgid, setresuid, setns. */
const CALLS: Readonly<Record<string, string>> = {
  x64: '157 125 126 116 119 117 308',
  arm64: '167 90 91 159 149 147 268',
};

/**
 * Arguments: numbers of the calls, a mount namespace to enter (or ''), a folder to be the root (or ''),
 * working folder (or ''), uid, gid, groups (each or ''), `nnp` (or ''), sets of capabilities that may be
 * had and that are had, as numbers (each or ''), the highest capability, file of the seccomp program
 * (or ''), number of NAME=VALUE for the environment, those, command.
 *
 * All is done before the program is loaded, which sees nothing but the execve: with a user or
 * NOROOT, that reduces what is permitted to the ambient set. Without no_new_privs loading needs
 * CAP_SYS_ADMIN, so the user's change keeps capabilities until then.
 */
const CONFINE_SCRIPT = `my ($calls,$mnt,$root,$wd,$uid,$gid,$groups,$nnp,$may,$has,$last,$filter,$n)=splice(@ARGV,0,13);
my ($prctl,$capget,$capset,$setgroups,$setgid,$setuid,$setns)=map {0+$_} split(/ /,$calls);
sub fail {print STDERR "strata: cannot confine the command: $_[0]: $!\\n"; exit 125}
sub ctl {my @a=map {0+$_} @_; push @a,0 while @a<5; syscall($prctl,@a)==0 or fail("prctl $_[0]")}
my $program='';
if ($filter ne '') {open(my $f,'<:raw',$filter) or fail($filter); local $/; $program=<$f>; close $f}
if ($mnt ne '') {open(my $f,'<',$mnt) or fail($mnt); syscall($setns,fileno($f),0x20000)==0 or fail('setns'); close $f}
if ($root ne '') {chroot($root) or fail('chroot')}
if ($wd ne '') {chdir($wd) or fail("cd $wd")}
if ($may ne '') {for my $c (0..$last) {ctl(24,$c) unless ($may>>$c)&1}}
my $head=pack('Ll',0x20080522,0);
my $now="\\0"x24;
syscall($capget,$head,$now)==0 or fail('capget');
my @now=unpack('L6',$now);
if ($has ne '') {ctl(28,3) unless $uid}
ctl(8,1) if $uid;
if ($gid ne '' || $uid ne '') {
my @g=split(/,/,$groups); my $list=pack('L*',@g);
syscall($setgroups,scalar @g,$list)==0 or fail('setgroups');
if ($gid ne '') {syscall($setgid,0+$gid,0+$gid,0+$gid)==0 or fail('setresgid')}
if ($uid ne '') {syscall($setuid,0+$uid,0+$uid,0+$uid)==0 or fail('setresuid')}}
if ($uid || $has ne '') {
my $h=$has eq '' ? 0 : $has; my @h=($h&0xffffffff,$h>>32);
my @all=@now[1,4];
my $set=pack('L6',$all[0],$all[0],$h[0]&$all[0],$all[1],$all[1],$h[1]&$all[1]);
syscall($capset,$head,$set)==0 or fail('capset');
for my $c (0..$last) {ctl(47,2,$c) if ($h>>$c)&1}}
ctl(38,1) if $nnp ne '';
delete $ENV{PERL_BADLANG};
for (1..$n) {my ($k,$v)=split(/=/,shift @ARGV,2); $ENV{$k}=$v}
my @command=@ARGV;
if ($program ne '') {
my $fprog=pack('Sx6P',length($program)/8,$program);
syscall($prctl,22,2,$fprog,0,0)==0 or fail('seccomp')}
exec {$command[0]} @command;
my $why=0+$!;
print STDERR "$command[0]: $!\\n";
exit($why==2 ? 127 : 126);`;

function setOf(names: readonly string[]): string {
  let set = 0n;
  for (const name of names) {
    const at = CAPABILITIES.indexOf(name);
    if (at < 0) throw new Error(`no capability is called "${name}"`);
    set |= 1n << BigInt(at);
  }
  return String(set);
}

function lastCapability(): string {
  return readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8').trim();
}

/** How the command gets into its root. */
export interface ConfinePlace {
  /** A file of a mount namespace, whose root then is the command's. */
  readonly mountNamespace?: string | undefined;
  /** Relative to the folder in which the program starts. */
  readonly root?: string | undefined;
  readonly cwd?: string | undefined;
}

/** The words before the command; `variables`: set for it alone. `filter`: the file with its program. */
export function confineWords(
  perl: string,
  spec: ProcessSpec,
  place: ConfinePlace,
  variables: readonly string[],
  filter: string | undefined,
): string[] {
  const calls = CALLS[process.arch];
  if (calls === undefined) throw new Error(`commands cannot be confined on ${process.arch}`);
  const { bounding, effective } = spec.capabilities ?? {};
  return [
    perl,
    '-e',
    CONFINE_SCRIPT,
    '--',
    calls,
    place.mountNamespace ?? '',
    place.root ?? '',
    place.cwd ?? '',
    String(spec.uid ?? ''),
    String(spec.gid ?? ''),
    (spec.groups ?? []).join(','),
    spec.noNewPrivileges === true ? 'nnp' : '',
    bounding === undefined ? '' : setOf(bounding),
    effective === undefined ? '' : setOf(effective),
    lastCapability(),
    filter ?? '',
    String(variables.length),
    ...variables,
  ];
}
