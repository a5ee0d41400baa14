// The master's flags of times, counts and choices: what they mean, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { settingsFrom } from './setting-flags.ts';

test('without flags everything is as Mesos has it', () => {
  const { allocator, ...rest } = settingsFrom({});
  assert.deepEqual(rest, {
    agentPingTimeoutMs: 15_000,
    agentPingTimeoutsMax: 5,
    agentReregisterTimeoutMs: 600_000,
    agentRemovalRate: undefined,
    completedFrameworksMax: 50,
    completedTasksMax: 1_000,
    unreachableTasksMax: 1_000,
    collection: { intervalMs: 900_000, ageMsMax: 1_209_600_000, countMax: 102_400 },
    operatorStreamsMax: 1_000,
    refusesRoot: false,
    recoveryRemovalLimit: 1,
    offerTimeoutMs: undefined,
    roleWhitelist: undefined,
    weights: [],
    whitelist: undefined,
    domain: undefined,
    requiresAgentDomain: false,
    hidesFrameworkMetrics: false,
  });
  assert.deepEqual(allocator, {
    minimums: [new Map([['cpus', 10]]), new Map([['mem', 32_000]])],
    isGpuFiltered: true,
    excludedNames: [],
    roleSorter: 'drf',
    frameworkSorter: 'drf',
  });
});

test('given ones are read in their own forms; others are for others', () => {
  const settings = settingsFrom({
    agent_removal_rate_limit: '2/10mins',
    min_allocatable_resources: 'cpus:1;mem:64|gpus:1',
    fair_sharing_excluded_resource_names: 'gpus,disk',
    root_submissions: 'false',
    acls: '{}',
  });
  assert.deepEqual(settings.agentRemovalRate, { count: 2, perMs: 600_000 });
  assert.deepEqual(settings.allocator?.minimums, [
    new Map([
      ['cpus', 1_000],
      ['mem', 64_000],
    ]),
    new Map([['gpus', 1_000]]),
  ]);
  assert.deepEqual(settings.allocator?.excludedNames, ['gpus', 'disk']);
  assert.equal(settings.refusesRoot, true);
});

test('what is remembered, and for how long, is as many and as long as is said', () => {
  const settings = settingsFrom({
    max_completed_frameworks: '3',
    max_completed_tasks_per_framework: '4',
    max_unreachable_tasks_per_framework: '5',
    max_operator_event_stream_subscribers: '6',
    registry_gc_interval: '2secs',
    registry_max_agent_age: '3days',
    registry_max_agent_count: '7',
    filter_gpu_resources: 'false',
    framework_sorter: 'random',
  });
  assert.equal(settings.completedFrameworksMax, 3);
  assert.equal(settings.completedTasksMax, 4);
  assert.equal(settings.unreachableTasksMax, 5);
  assert.equal(settings.operatorStreamsMax, 6);
  const collection = { intervalMs: 2_000, ageMsMax: 259_200_000, countMax: 7 };
  assert.deepEqual(settings.collection, collection);
  assert.equal(settings.allocator?.isGpuFiltered, false);
  assert.equal(settings.allocator?.frameworkSorter, 'random');
});

test('lists, weights, places and limits of few are read in their own forms', () => {
  const domain = { fault_domain: { region: { name: 'one' }, zone: { name: 'one-1' } } };
  const settings = settingsFrom({
    roles: 'a,b/c',
    weights: 'a=2,b/c=0.5,*=3',
    offer_timeout: '30secs',
    recovery_agent_removal_limit: '12.5%',
    domain: JSON.stringify(domain),
    whitelist: '/some/file',
    publish_per_framework_metrics: 'false',
  });
  assert.deepEqual(settings.roleWhitelist, new Set(['a', 'b/c']));
  assert.deepEqual(settings.weights, [
    { role: 'a', weight: 2 },
    { role: 'b/c', weight: 0.5 },
    { role: '*', weight: 3 },
  ]);
  assert.equal(settings.offerTimeoutMs, 30_000);
  assert.equal(settings.recoveryRemovalLimit, 0.125);
  assert.deepEqual(settings.domain, domain);
  assert.equal(settings.whitelist, '/some/file');
  assert.equal(settings.hidesFrameworkMetrics, true);
  assert.equal(settingsFrom({ whitelist: '*' }).whitelist, undefined);
});

test('--weights of a role that --roles leaves out are refused', () => {
  assert.throws(() => settingsFrom({ roles: 'a', weights: 'a=1,b=2' }), {
    message: `Cannot start: flag "weights": Invalid weight: 'b=2'. b is not a valid role`,
  });
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['agent_ping_timeout', '10ms', /it must be from 1secs to 15mins/],
  ['agent_ping_timeout', '1hrs', /it must be from 1secs to 15mins/],
  ['max_agent_ping_timeouts', '0', /it must be 1 or more/],
  ['agent_reregister_timeout', '9mins', /it must be 10mins or more/],
  ['agent_removal_rate_limit', '5', /it must be NUMBER\/DURATION/],
  ['agent_removal_rate_limit', '0/1mins', /it must be 1 or more/],
  ['min_allocatable_resources', 'cpus', /"cpus" is no NAME:AMOUNT/],
  ['recovery_agent_removal_limit', '50', /missing '%'/],
  ['recovery_agent_removal_limit', 'half%', /Failed to convert 'half' to number/],
  ['recovery_agent_removal_limit', '101%', /Must be within \[0%-100%\]/],
  ['offer_timeout', '0secs', /Must be greater than zero/],
  ['offer_timeout', 'soon', /"soon" is no duration/],
  ['roles', 'a,/b', /Failed to parse roles: Role '\/b' cannot start with a slash/],
  [
    'weights',
    'a',
    /Invalid weight: 'a'\. --weights should be of the form 'role=weight,role=weight'/,
  ],
  ['weights', 'a=1=2', /Invalid weight: 'a=1=2'\. --weights should be of the form/],
  ['weights', 'a=0', /Invalid weight: 'a=0'\. Weights must be positive/],
  ['weights', 'a=heavy', /Invalid weight: 'a=heavy'\. Weights must be positive/],
  ['domain', '{}', /`domain` must define `fault_domain`/],
  ['domain', '{"fault_domain":{"region":{"name":"a"}}}', /zone/],
  ['require_agent_domain', 'maybe', /"maybe" is neither true nor false/],
  ['role_sorter', 'fair', /"fair" is none of drf, random/],
  ['max_completed_frameworks', '-1', /"-1" is no number/],
];

for (const [name, text, message] of wrong) {
  test(`${name}=${text} is refused`, () => {
    assert.throws(
      () => settingsFrom({ [name]: text }),
      (error) => faultCode(error) === 'bad-flag' && message.test(String(error)),
    );
  });
}
