// Seccomp profiles: what is refused, and the program against a plain reading of the profile's rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSeccompProfile, seccompMachine, seccompProgram } from './seccomp.ts';

const machine = seccompMachine('x64') as NonNullable<ReturnType<typeof seccompMachine>>;
const ALLOW = 0x7fff_0000;
const DENY = 0x0005_0001;

interface Call {
  readonly name: string;
  readonly args: readonly bigint[];
  readonly arch?: number | undefined;
  readonly number?: number | undefined;
}

/** A classic BPF machine, for those instructions that the kernel takes in seccomp programs. */
function run(program: Uint8Array, { name, args, arch, number }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number ?? machine.numbers.get(name) ?? 0, true);
  data.setUint32(4, arch ?? machine.audit, true);
  for (const [at, value] of args.entries()) data.setBigUint64(16 + 8 * at, value, true);
  const view = new DataView(program.buffer);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const [code, k] = [view.getUint16(at * 8, true), view.getUint32(at * 8 + 4, true)];
    const jump = (holds: boolean): void => {
      at += view.getUint8(at * 8 + (holds ? 2 : 3));
    };
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x25) jump(accumulator > k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${code} at ${at}`);
  }
}

const names = ['read', 'write', 'mkdir', 'kill', 'clone'];
const value = fc.oneof(
  fc.bigInt({ min: 0n, max: 4n }),
  fc.bigInt({ min: 0xffff_fffen, max: 0x1_0000_0002n }),
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
);
const compare: Record<string, (a: bigint, v: bigint, w: bigint) => boolean> = {
  EQ: (a, v) => a === v,
  NE: (a, v) => a !== v,
  LT: (a, v) => a < v,
  LE: (a, v) => a <= v,
  GT: (a, v) => a > v,
  GE: (a, v) => a >= v,
  MASKED_EQ: (a, v, w) => (a & v) === w,
};
const argument = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  op: fc.constantFrom(...Object.keys(compare)),
  value,
  valueTwo: value,
});
const rule = fc.record({
  names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
  errno: fc.integer({ min: 1, max: 100 }),
  args: fc.array(argument, { maxLength: 40 }),
});
type Rule = typeof rule extends fc.Arbitrary<infer T> ? T : never;

function profileText(rules: readonly Rule[]): string {
  const syscalls = rules.map(({ names, errno, args }) => {
    const listed = args.map(
      ({ index, op, value, valueTwo }) =>
        `{"index":${index},"op":"SCMP_CMP_${op}","value":${value},"valueTwo":${valueTwo}}`,
    );
    return `{"names":${JSON.stringify(names)},"action":"SCMP_ACT_ERRNO","errnoRet":${errno},"args":[${listed.join()}]}`;
  });
  return `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[${syscalls.join()}]}`;
}

test('a program answers each call as its profile reads', () => {
  const call = fc.record({
    name: fc.constantFrom(...names),
    args: fc.array(value, { minLength: 6, maxLength: 6 }),
  });
  const property = fc.property(fc.array(rule, { maxLength: 6 }), call, (rules, one) => {
    const parsed = parseSeccompProfile(profileText(rules), machine);
    const named = rules.filter((each) => each.names.includes(one.name));
    const holds = (each: Rule): boolean =>
      each.args.every(({ index, op, value: v, valueTwo: w }) =>
        compare[op]?.(one.args[index] ?? 0n, v, w),
      );
    const found =
      named.find((each) => each.args.length > 0 && holds(each)) ??
      named.find((each) => each.args.length === 0);
    const expected = found === undefined ? ALLOW : 0x0005_0000 | found.errno;
    assert.equal(run(seccompProgram(parsed, machine, undefined), one), expected);
  });
  fc.assert(property, { numRuns: 300 });
});

test('a program for another machine, and the second table of x86-64, are not let through', () => {
  const text = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}';
  const program = seccompProgram(parseSeccompProfile(text, machine), machine, undefined);
  assert.equal(run(program, { name: 'read', args: [] }), ALLOW);
  assert.equal(run(program, { name: 'read', args: [], arch: 0x4000_0003 }), 0x8000_0000);
  assert.equal(run(program, { name: '', args: [], number: 0x4000_0000 }), 0x0005_0026);
});

test('rules hold for machines and sets of capabilities', () => {
  const text = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      {
        names: ['mount', 'umount2'],
        action: 'SCMP_ACT_ALLOW',
        includes: { caps: ['CAP_SYS_ADMIN'] },
      },
      { names: ['kill'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['read'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm64'] }, args: null },
      {
        names: ['write', 'fadvise64_64'],
        action: 'SCMP_ACT_ALLOW',
        includes: { arches: ['amd64'] },
      },
      { names: ['close'], action: 'SCMP_ACT_ALLOW', excludes: { arches: ['amd64'] } },
    ],
  });
  const parsed = parseSeccompProfile(text, machine);
  const answers = (bounding: readonly string[] | undefined) =>
    ['mount', 'kill', 'read', 'write', 'close'].filter(
      (name) => run(seccompProgram(parsed, machine, bounding), { name, args: [] }) !== DENY,
    );
  assert.deepEqual(answers(undefined), ['mount', 'write']);
  assert.deepEqual(answers(['net_raw']), ['kill', 'write']);
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['no JSON', '{', /JSON/],
  [
    'no default',
    '{"syscalls":[]}',
    /Cannot determine 'defaultAction' for the Seccomp configuration/,
  ],
  ['an action', '{"defaultAction":"SCMP_ACT_X"}', /Unknown action: 'SCMP_ACT_X'/],
  ['no names', rules('"names":[]'), /Syscall 'names' list is empty/],
  ['a name', rules('"names":["readd"]'), /Unrecognized syscall 'readd'/],
  ['no action', rules('"names":["read"]'), /Cannot determine 'action' for 'syscalls' item/],
  [
    'an operator',
    rules('"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"EQ"}]'),
    /Unknown operator: 'EQ'/,
  ],
  [
    'no value',
    rules('"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ"}]'),
    /Cannot determine 'value' field for 'args' item/,
  ],
  [
    'a capability',
    rules('"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["SYS_ADMIN"]}'),
    /Unexpected capability: 'SYS_ADMIN'/,
  ],
];

function rules(text: string): string {
  return `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{${text}}]}`;
}

for (const [name, text, message] of wrong) {
  test(`a profile with ${name} is refused`, () => {
    assert.throws(() => parseSeccompProfile(text, machine), message);
  });
}
