// Flags of the master that cannot be had: each is refused with its reason before anything starts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { createEnv } from '#env/node/env.ts';
import { namedFlags } from '#mesos/flags/flag-table.ts';
import { readMasterFlags } from './given-flags.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

test('--advertise_ip and --advertise_port are where others find the master', () => {
  const given = { advertise_ip: '192.0.2.7', advertise_port: '15050' };
  assert.deepEqual(readMasterFlags(given, env).advertised, { ip: '192.0.2.7', port: 15_050 });
  assert.deepEqual(readMasterFlags({}, env).advertised, { ip: undefined, port: undefined });
});

const refused: readonly (readonly [RegExp, ...string[]])[] = [
  [/flag "hooks": Error installing hooks: No hook module named 'a' available/, 'hooks=a,b'],
  [
    /flag "modules": Error loading modules: Error opening library: 'libx.so': this program loads no shared libraries/,
    'modules={"libraries":[{"file":"libx.so"}]}',
  ],
  [
    /Only one of --modules or --modules_dir should be specified/,
    'modules={}',
    'modules_dir=/nowhere',
  ],
  [/flag "advertise_ip": "somewhere" is no IPv4 address/, 'advertise_ip=somewhere'],
  [/flag "advertise_port": "70000" is no port/, 'advertise_port=70000'],
  [/flag "allocator": "my_allocator" is none of hierarchical/, 'allocator=my_allocator'],
  [/flag "master_detector": there is no module 'x'/, 'master_detector=x'],
  [/flag "max_executors_per_agent" is not known/, 'max_executors_per_agent=5'],
  [/Support for '--registry_strict' has been disabled/, 'registry_strict=true'],
  [/flag "zk": give it as the option --zk/, 'zk=zk://localhost/mesos'],
  [
    /flag "agent_ping_timeout" is also given under its old name "slave_ping_timeout"/,
    'slave_ping_timeout=20secs',
    'agent_ping_timeout=20secs',
  ],
  [
    /flag "firewall_rules": "disabled_endpoints.paths" is no list of texts/,
    'firewall_rules={"disabled_endpoints":{"paths":3}}',
  ],
];

for (const [said, ...flags] of refused) {
  test(`${flags.join(' ')} is refused`, () => {
    assert.throws(
      () => readMasterFlags(namedFlags(flags), env),
      (error) => faultCode(error) === 'bad-flag' && said.test(String(error)),
    );
  });
}
