// Seccomp profiles in the format of Docker, as Mesos' linux/seccomp reads them, and the classic BPF
// program that the kernel is given for one.
import { readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { LinuxInfo } from '#wire/mesos/v1.ts';
import { ELSEWHERE, SYSCALLS } from './syscall-numbers.ts';

/** What of a machine a program depends on. */
export interface SeccompMachine {
  readonly audit: number;
  /** In `archMap`, and in `arches`. */
  readonly names: readonly [string, string];
  readonly numbers: ReadonlyMap<string, number>;
}

interface Argument {
  readonly index: number;
  readonly op: string;
  readonly value: bigint;
  readonly valueTwo: bigint;
}
interface Rule {
  readonly names: readonly string[];
  readonly action: number;
  readonly arguments: readonly Argument[];
  readonly needs: readonly string[];
  readonly forbids: readonly string[];
}
export interface SeccompProfile {
  readonly fallback: number;
  readonly rules: readonly Rule[];
}

const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const EPERM = 1;
const ENOSYS = 38;
const X32 = 0x4000_0000;
const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];
const INSTRUCTIONS_MAX = 4096;

function numbersOf(text: string): ReadonlyMap<string, number> {
  let next = 0;
  return new Map(
    text
      .trim()
      .split(/\s+/)
      .map((word) => {
        const [first = '', name] = word.split('=');
        const number = name === undefined ? next : Number(first);
        next = number + 1;
        return [name ?? first, number];
      }),
  );
}

/** Undefined where no programs can be made for the machine. `arch`: as Node names it. */
export function seccompMachine(arch: string): SeccompMachine | undefined {
  const numbers = numbersOf(SYSCALLS[arch] ?? '');
  if (arch === 'x64') return { audit: 0xc000_003e, names: ['SCMP_ARCH_X86_64', 'amd64'], numbers };
  if (arch === 'arm64')
    return { audit: 0xc000_00b7, names: ['SCMP_ARCH_AARCH64', 'arm64'], numbers };
  return undefined;
}

let everyName: ReadonlySet<string> | undefined;
function isSyscall(name: string): boolean {
  everyName ??= new Set([
    ...Object.values(SYSCALLS).flatMap((text) => [...numbersOf(text).keys()]),
    ...ELSEWHERE.trim().split(/\s+/),
    'epoll_ctl_old',
    'epoll_wait_old',
  ]);
  return everyName.has(name);
}

// ---- reading

type Json = Readonly<Record<string, unknown>>;

function missing(field: string, of: string): Error {
  return new Error(`Cannot determine '${field}' ${of}: Not found`);
}

function actionOf(json: Json, field: string, errnoField: string, of: string): number {
  const name = json[field];
  if (typeof name !== 'string') throw missing(field, of);
  const action = ACTIONS[name];
  if (action === undefined) throw new Error(`Unknown action: '${name}'`);
  const errno = json[errnoField];
  return action === ERRNO ? ERRNO | (typeof errno === 'number' ? errno & 0xfff : EPERM) : action;
}

/** Absent lists, which newer profiles leave out, are empty. */
function listOf(json: Json, field: string, of: string): readonly unknown[] {
  const value = json[field] ?? [];
  if (!Array.isArray(value)) throw new Error(`Cannot determine '${field}' ${of}: it is no list`);
  return value;
}

function textsOf(json: Json, field: string, of: string): readonly string[] {
  const list = listOf(json, field, of);
  if (!list.every((one) => typeof one === 'string')) {
    throw new Error(`'${field}' contains non-string item`);
  }
  return list as readonly string[];
}

function capabilitiesOf(json: Json): readonly string[] {
  return textsOf(json, 'caps', 'field').map((name) => {
    if (!name.startsWith('CAP_')) throw new Error(`Unexpected capability: '${name}'`);
    return name.slice('CAP_'.length).toLowerCase();
  });
}

function argumentOf(json: Json): Argument {
  const of = "field for 'args' item";
  const number = (field: string): bigint => {
    const value = json[field] ?? (field === 'valueTwo' ? 0 : undefined);
    if (typeof value === 'bigint') return value;
    if (!Number.isInteger(value)) throw missing(field, of);
    return BigInt.asUintN(64, BigInt(value as number));
  };
  const op = json['op'];
  if (typeof op !== 'string') throw missing('op', of);
  const operator = op.replace(/^SCMP_CMP_/, '');
  if (!op.startsWith('SCMP_CMP_') || !OPERATORS.includes(operator)) {
    throw new Error(`Unknown operator: '${op}'`);
  }
  const index = Number(number('index'));
  if (index > 5) throw new Error(`A system call has no argument ${index}`);
  return { index, op: operator, value: number('value'), valueTwo: number('valueTwo') };
}

/** Undefined: it is for other machines. */
function ruleOf(json: Json, machine: SeccompMachine): Rule | undefined {
  const of = "field for 'syscalls' item";
  const includes = (json['includes'] ?? {}) as Json;
  const excludes = (json['excludes'] ?? {}) as Json;
  const isNamed = (arches: readonly string[]): boolean => arches.includes(machine.names[1]);
  const wanted = textsOf(includes, 'arches', of);
  if (wanted.length > 0 && !isNamed(wanted)) return undefined;
  if (isNamed(textsOf(excludes, 'arches', of))) return undefined;
  const single = json['name'];
  const names = typeof single === 'string' ? [single] : textsOf(json, 'names', of);
  if (names.length === 0) throw new Error("Syscall 'names' list is empty");
  const unknown = names.find((name) => !isSyscall(name));
  if (unknown !== undefined) throw new Error(`Unrecognized syscall '${unknown}'`);
  return {
    names,
    action: actionOf(json, 'action', 'errnoRet', "for 'syscalls' item"),
    arguments: listOf(json, 'args', of).map((one) => argumentOf(one as Json)),
    needs: capabilitiesOf(includes),
    forbids: capabilitiesOf(excludes),
  };
}

/** Numbers that a double cannot hold come as they are written. */
function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const { source = '' } = context ?? {};
  return /^-?\d+$/.test(source) ? BigInt.asUintN(64, BigInt(source)) : value;
}

/** Throws with the words of Mesos' parser, as far as it has any. */
export function parseSeccompProfile(text: string, machine: SeccompMachine): SeccompProfile {
  const json = JSON.parse(text, exactly as (key: string, value: unknown) => unknown) as Json;
  const of = 'for the Seccomp configuration';
  const fallback = actionOf(json, 'defaultAction', 'defaultErrnoRet', of);
  const rules = listOf(json, 'syscalls', of).map((one) => ruleOf(one as Json, machine));
  return { fallback, rules: rules.filter((one) => one !== undefined) };
}

// ---- the program

/** A jump goes over so many instructions, or out of its rule, or to the rule's next condition. */
type Jump = number | 'out' | 'next';
interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly yes?: Jump | undefined;
  readonly no?: Jump | undefined;
}

const LOAD = 0x20;
const AND = 0x54;
const JUMP = 0x05;
const RETURN = 0x06;
const EQUAL = 0x15;
const GREATER = 0x25;
const AT_LEAST = 0x35;
const ARGUMENTS_AT = 16;

const low = (value: bigint): number => Number(value & 0xffff_ffffn);
const high = (value: bigint): number => Number(value >> 32n);

function condition({ index, op, value, valueTwo }: Argument): Instruction[] {
  const at = ARGUMENTS_AT + 8 * index;
  const loadHigh = { code: LOAD, k: at + 4 };
  const loadLow = { code: LOAD, k: at };
  const jump = (code: number, k: number, yes: Jump, no: Jump) => ({ code, k, yes, no });
  const [top, bottom] = [high(value), low(value)];
  switch (op) {
    case 'EQ':
      return [loadHigh, jump(EQUAL, top, 0, 'out'), loadLow, jump(EQUAL, bottom, 0, 'out')];
    case 'NE':
      return [loadHigh, jump(EQUAL, top, 0, 'next'), loadLow, jump(EQUAL, bottom, 'out', 0)];
    case 'MASKED_EQ':
      return [
        loadHigh,
        { code: AND, k: top },
        jump(EQUAL, high(valueTwo), 0, 'out'),
        loadLow,
        { code: AND, k: bottom },
        jump(EQUAL, low(valueTwo), 0, 'out'),
      ];
    case 'GT':
    case 'GE': {
      const last = jump(op === 'GT' ? GREATER : AT_LEAST, bottom, 0, 'out');
      return [loadHigh, jump(GREATER, top, 'next', 0), jump(EQUAL, top, 0, 'out'), loadLow, last];
    }
    default: {
      const last = jump(op === 'LT' ? AT_LEAST : GREATER, bottom, 'out', 0);
      return [loadHigh, jump(GREATER, top, 'out', 0), jump(EQUAL, top, 0, 'next'), loadLow, last];
    }
  }
}

/** The rule's answer where all its conditions hold; otherwise what follows it is reached. */
function ruleBody(rule: Rule): Instruction[] {
  const parts = rule.arguments.map(condition);
  const length = parts.reduce((sum, part) => sum + part.length, 1);
  let start = 0;
  const made = parts.flatMap((part) => {
    const end = start + part.length;
    const placed = part.map((one, offset) => {
      const here = start + offset + 1;
      const over = (jump: Jump | undefined): number | undefined =>
        jump === 'out' ? length - here : jump === 'next' ? end - here : jump;
      return { ...one, yes: over(one.yes), no: over(one.no) };
    });
    start = end;
    return placed;
  });
  return [...made, { code: RETURN, k: rule.action }];
}

/**
 * Of one system call: rules with conditions come before one without, whatever their order in the
 * profile.
 */
function syscallBody(rules: readonly Rule[], fallback: number): Instruction[] {
  const conditional = rules.filter((one) => one.arguments.length > 0);
  const plain = rules.find((one) => one.arguments.length === 0);
  const last = { code: RETURN, k: plain?.action ?? fallback };
  return [...conditional.flatMap(ruleBody), last];
}

function encoded(program: readonly Instruction[]): Uint8Array {
  if (program.length > INSTRUCTIONS_MAX) {
    throw new Error(`Its program of ${program.length} instructions is more than the kernel takes`);
  }
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [at, { code, k, yes = 0, no = 0 }] of program.entries()) {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, yes as number);
    view.setUint8(at * 8 + 3, no as number);
    view.setUint32(at * 8 + 4, k >>> 0, true);
  }
  return bytes;
}

/**
 * The program (struct sock_filter, little endian) for a container with such a bounding set; undefined:
 * every capability. Programs of another architecture than the machine's are killed.
 */
export function seccompProgram(
  profile: SeccompProfile,
  machine: SeccompMachine,
  bounding: readonly string[] | undefined,
): Uint8Array {
  const has = (name: string): boolean => bounding === undefined || bounding.includes(name);
  const byNumber = new Map<number, Rule[]>();
  for (const rule of profile.rules) {
    if (!rule.needs.every(has) || rule.forbids.some(has)) continue;
    for (const name of rule.names) {
      const number = machine.numbers.get(name);
      if (number === undefined) continue;
      const others = byNumber.get(number);
      if (others === undefined) byNumber.set(number, [rule]);
      else others.push(rule);
    }
  }
  const program: Instruction[] = [
    { code: LOAD, k: 4 },
    { code: EQUAL, k: machine.audit, yes: 1, no: 0 },
    { code: RETURN, k: KILL_PROCESS },
    { code: LOAD, k: 0 },
    { code: AT_LEAST, k: X32, yes: 0, no: 1 },
    { code: RETURN, k: ERRNO | ENOSYS },
  ];
  for (const [number, rules] of byNumber) {
    const body = syscallBody(rules, profile.fallback);
    if (body.length <= 255) program.push({ code: EQUAL, k: number, yes: 0, no: body.length });
    else {
      program.push({ code: EQUAL, k: number, yes: 1, no: 0 }, { code: JUMP, k: body.length });
    }
    program.push(...body);
  }
  return encoded([...program, { code: RETURN, k: profile.fallback }]);
}

const WORDS: ReadonlyMap<number, string> = new Map(
  Object.entries(ACTIONS).map(([name, action]) => [action, name]),
);

function words(action: number): { readonly action: string; readonly errno?: number } {
  const kind = (action & 0xffff_0000) >>> 0;
  const name = WORDS.get(kind) ?? 'SCMP_ACT_KILL_PROCESS';
  return kind === ERRNO ? { action: name, errno: action & 0xffff } : { action: name };
}

/** The same profile as an OCI specification has it, for runtimes that make the program by themselves. */
export function seccompForOci(
  { fallback, rules }: SeccompProfile,
  machine: SeccompMachine,
  bounding: readonly string[] | undefined,
): object {
  const has = (name: string): boolean => bounding === undefined || bounding.includes(name);
  const fitting = rules.filter((rule) => rule.needs.every(has) && !rule.forbids.some(has));
  const otherwise = words(fallback);
  return {
    defaultAction: otherwise.action,
    ...(otherwise.errno === undefined ? {} : { defaultErrnoRet: otherwise.errno }),
    architectures: [machine.names[0]],
    syscalls: fitting.map((rule) => {
      const { action, errno } = words(rule.action);
      return {
        names: rule.names,
        action,
        ...(errno === undefined ? {} : { errnoRet: errno }),
        args: rule.arguments.map(({ op, ...rest }) => ({ ...rest, op: `SCMP_CMP_${op}` })),
      };
    }),
  };
}

// ---- what containers ask for

/** The profiles of an agent whose isolators name linux/seccomp. */
export class SeccompProfiles {
  readonly #folder: string;
  readonly #machine: SeccompMachine;
  readonly #fallback: SeccompProfile | undefined;

  /** Throws when the default profile cannot be read. */
  constructor(folder: string | undefined, fallback: string | undefined, arch: string) {
    if (folder === undefined) throw new Error('Missing required `--seccomp_config_dir` flag');
    const machine = seccompMachine(arch);
    if (machine === undefined) throw new Error(`Seccomp is not supported on ${arch}`);
    this.#folder = folder;
    this.#machine = machine;
    this.#fallback = fallback === undefined ? undefined : this.#read(fallback);
  }

  #read(name: string): SeccompProfile {
    const path = join(this.#folder, name);
    // A framework names it: it is none of the machine's other files.
    if (!path.startsWith(this.#folder.replace(/\/*$/, sep))) {
      throw new Error(`The Seccomp profile '${name}' is not in the folder of profiles`);
    }
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Failed to read Seccomp profile file '${path}': ${why}`, { cause });
    }
    try {
      const profile = parseSeccompProfile(text, this.#machine);
      seccompProgram(profile, this.#machine, undefined);
      return profile;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Failed to parse Seccomp profile '${path}': ${why}`, { cause });
    }
  }

  /** What the kernel is to load for a container, as a program and as a profile; undefined: nothing. */
  filter(
    linux: LinuxInfo | undefined,
    bounding: readonly string[] | undefined,
  ): { readonly program: Uint8Array; readonly profile: object } | undefined {
    const { profile_name: name, unconfined = false } = linux?.seccomp ?? {};
    if (unconfined && name !== undefined) {
      throw new Error(
        "Invalid Seccomp configuration: 'profile_name' given even though 'unconfined' Seccomp " +
          'setting is enabled',
      );
    }
    if (unconfined) return undefined;
    if (linux?.seccomp !== undefined && name === undefined) {
      throw new Error('Missing Seccomp profile name');
    }
    const profile = name === undefined ? this.#fallback : this.#read(name);
    if (profile === undefined) return undefined;
    return {
      program: seccompProgram(profile, this.#machine, bounding),
      profile: seccompForOci(profile, this.#machine, bounding),
    };
  }
}
