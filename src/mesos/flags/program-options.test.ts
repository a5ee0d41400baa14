// Where options come from, as with mesos-master and mesos-agent: one table for each program.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMesosOptions } from './program-options.ts';

const DEFAULTS = { host: '127.0.0.1', port: 5050, home: '/home' };
const sources = {
  readFile: (path: string) => `content of ${path}\n`,
  shell: (command: string) => `${command.replace('echo ', '')}\n`,
};

function read(
  program: 'master' | 'agent',
  named: Readonly<Record<string, unknown>>,
  rest: readonly string[],
  environment: Readonly<Record<string, string>>,
) {
  const options = { ...DEFAULTS, ...named };
  const given = { options, named: new Set(Object.keys(named)), rest, environment };
  return withMesosOptions(program, given, sources);
}

const cases: readonly [
  what: string,
  of: Parameters<typeof read>,
  expected: Readonly<Record<string, unknown>>,
][] = [
  ['nothing is given', ['master', {}, [], {}], { ...DEFAULTS, flag: [] }],
  [
    'a command line of mesos-master',
    ['master', {}, ['--ip=10.0.0.1', '--port=5', '--work_dir=/w', '--quorum=2', '--quiet'], {}],
    { host: '10.0.0.1', port: 5, home: '/w', flag: ['quorum=2', 'quiet=true'] },
  ],
  [
    'the environment of mesos-master',
    [
      'master',
      {},
      [],
      {
        MESOS_IP: '10.0.0.2',
        MESOS_PORT: '6',
        MESOS_HOSTNAME: 'h',
        MESOS_WORK_DIR: '/e',
        MESOS_ZK: 'zk://z/m',
        MESOS_MASTER: 'of the agent',
        MESOS_SANDBOX: 'of a task',
      },
    ],
    { host: '10.0.0.2', port: 6, hostname: 'h', home: '/e', zk: 'zk://z/m', flag: [] },
  ],
  [
    'the environment of mesos-agent',
    [
      'agent',
      {},
      [],
      { MESOS_MASTER: 'm:1', MESOS_RESOURCES: 'cpus:1', MESOS_ATTRIBUTES: 'a:b', MESOS_ZK: 'z' },
    ],
    { ...DEFAULTS, master: 'm:1', resources: 'cpus:1', attributes: 'a:b', flag: [] },
  ],
  [
    'the command line wins over the environment',
    ['master', { port: 7 }, ['--ip=10.0.0.3'], { MESOS_PORT: '6', MESOS_IP: '10.0.0.2' }],
    { ...DEFAULTS, host: '10.0.0.3', port: 7, flag: [] },
  ],
  [
    'MESOS_IP wins over LIBPROCESS_IP; LIBPROCESS_PORT is never looked at, as in Mesos',
    ['agent', {}, [], { LIBPROCESS_IP: '10.0.0.5', MESOS_IP: '10.0.0.4', LIBPROCESS_PORT: '9' }],
    { ...DEFAULTS, host: '10.0.0.4', flag: [] },
  ],
  [
    'LIBPROCESS_IP and what others are told',
    [
      'master',
      {},
      ['--advertise_port=1'],
      {
        LIBPROCESS_IP: '10.0.0.5',
        LIBPROCESS_ADVERTISE_IP: '10.0.0.6',
        LIBPROCESS_ADVERTISE_PORT: '2',
      },
    ],
    { ...DEFAULTS, host: '10.0.0.5', flag: ['advertise_port=1', 'advertise_ip=10.0.0.6'] },
  ],
  [
    'a MESOS_ variable wins over what libprocess is told to advertise',
    ['master', {}, [], { MESOS_ADVERTISE_IP: '10.0.0.7', LIBPROCESS_ADVERTISE_IP: '10.0.0.6' }],
    { ...DEFAULTS, flag: [] },
  ],
  [
    'values in files',
    ['master', {}, ['--zk=file:///etc/mesos/zk'], {}],
    { ...DEFAULTS, zk: 'content of /etc/mesos/zk', flag: [] },
  ],
  [
    'a command that finds the address',
    ['agent', {}, ['--ip_discovery_command=echo 10.1.1.1'], { LIBPROCESS_IP: '10.0.0.5' }],
    { ...DEFAULTS, host: '10.1.1.1', flag: [] },
  ],
  [
    'STRATA_HOME is ours',
    ['master', {}, [], { STRATA_HOME: '/home', MESOS_WORK_DIR: '/e' }],
    { ...DEFAULTS, flag: [] },
  ],
  [
    '--flag takes them, too',
    ['master', { flag: ['port=8', 'cluster=c'] }, ['--no-root_submissions'], {}],
    { ...DEFAULTS, port: 8, flag: ['cluster=c', 'root_submissions=false'] },
  ],
];

for (const [what, of, expected] of cases) {
  test(`options: ${what}`, () => assert.deepEqual(read(...of), expected));
}

const refused: readonly [RegExp, ...Parameters<typeof read>][] = [
  [/"5051" is not --NAME=VALUE/, 'agent', {}, ['5051'], {}],
  [/flag "port" is given twice/, 'agent', { port: 1 }, ['--port=2'], {}],
  [/flag "quorum" is given twice/, 'master', { flag: ['quorum=1'] }, ['--quorum=2'], {}],
  [/flag "quiet" is set by "no-quiet" and has the value 'x'/, 'master', {}, ['--no-quiet=x'], {}],
  [/flag "port": "x" is no port/, 'master', {}, [], { MESOS_PORT: 'x' }],
  [/Only one of `--ip` or/, 'master', {}, ['--ip=1.1.1.1', '--ip_discovery_command=echo'], {}],
  [/gives "none", which is no address/, 'master', {}, ['--ip_discovery_command=echo none'], {}],
];

for (const [why, ...of] of refused) {
  test(`options: refused, ${why.source}`, () => assert.throws(() => read(...of), why));
}
