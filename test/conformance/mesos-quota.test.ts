// Quota as operators set it: one script of calls, valid and invalid, to a real Mesos 1.11 master and to
// Strata's, each with one agent of Strata's. The answers are equal, or the difference is named here.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { AgentMachine, realMaster } from '#test/support/agent-machine.ts';

interface Step {
  readonly what: string;
  readonly method?: 'GET' | 'POST' | 'DELETE' | 'PUT';
  readonly path?: string;
  readonly body?: object | string;
  /** Where this master does more than Mesos, with its answer. */
  readonly own?: readonly [status: number, text: string];
}

const update = (configs: object[], force?: boolean) => ({
  type: 'UPDATE_QUOTA',
  update_quota: { quota_configs: configs, ...(force === undefined ? {} : { force }) },
});
const scalars = (cpus: number, mem?: number) => ({
  cpus: { value: cpus },
  ...(mem === undefined ? {} : { mem: { value: mem } }),
});
const scalar = (name: string, value: number, more: object = {}) => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  ...more,
});
const set = (quota_request: object) => ({ type: 'SET_QUOTA', set_quota: { quota_request } });
const look = { what: 'what is set', body: { type: 'GET_QUOTA' } };

const steps: readonly Step[] = [
  look,
  { what: 'a limit', body: update([{ role: 'a', limits: scalars(2, 512) }]) },
  look,
  {
    what: 'two at once, guarantees within limits',
    body: update([
      { role: 'b', guarantees: scalars(1), limits: scalars(2) },
      { role: '*', limits: scalars(5) },
    ]),
  },
  look,
  {
    what: 'guarantees beyond limits',
    body: update([{ role: 'c', guarantees: scalars(3), limits: scalars(2) }]),
  },
  {
    what: 'more than there is',
    body: update([{ role: 'c', guarantees: scalars(100), limits: scalars(100) }]),
  },
  {
    what: 'more than there is, by force',
    body: update([{ role: 'c', guarantees: scalars(100), limits: scalars(100) }], true),
  },
  { what: 'back to nothing', body: update([{ role: 'c' }]) },
  look,
  { what: 'no configs', body: { type: 'UPDATE_QUOTA', update_quota: {} } },
  { what: 'no body', body: { type: 'UPDATE_QUOTA' } },
  { what: 'a bad role', body: update([{ role: 'a b', limits: scalars(1) }]) },
  { what: 'a negative limit', body: update([{ role: 'a', limits: scalars(-1) }]) },
  { what: 'too much', body: update([{ role: 'a', limits: scalars(1e13) }]) },
  {
    what: 'all or nothing: one of two is wrong',
    body: update([
      { role: 'd', limits: scalars(1) },
      { role: 'e', limits: scalars(-1) },
    ]),
  },
  look,
  {
    what: 'a role below another',
    body: update([{ role: 'a/b', limits: scalars(1) }]),
    own: [200, ''],
  },
  { what: 'SET_QUOTA', body: set({ role: 's', guarantee: [scalar('cpus', 1)] }) },
  { what: 'SET_QUOTA again', body: set({ role: 's', guarantee: [scalar('cpus', 1)] }) },
  { what: 'SET_QUOTA of nothing', body: set({ role: 't' }) },
  { what: 'SET_QUOTA without role', body: set({ guarantee: [scalar('cpus', 1)] }) },
  {
    what: 'SET_QUOTA beyond capacity',
    body: set({ role: 't', guarantee: [scalar('cpus', 1000)] }),
  },
  {
    what: 'SET_QUOTA of one name twice',
    body: set({ role: 't', guarantee: [scalar('cpus', 1), scalar('cpus', 2)] }),
  },
  {
    what: 'SET_QUOTA of a revocable resource',
    body: set({ role: 't', guarantee: [scalar('cpus', 1, { revocable: {} })] }),
  },
  {
    what: 'SET_QUOTA of what is reserved',
    body: set({ role: 't', guarantee: [scalar('cpus', 1, { role: 'x' })] }),
  },
  { what: 'REMOVE_QUOTA', body: { type: 'REMOVE_QUOTA', remove_quota: { role: 's' } } },
  { what: 'DELETE of none', method: 'DELETE', path: '/quota/s' },
  { what: 'DELETE without role', method: 'DELETE', path: '/quota' },
  { what: 'POST /quota', path: '/quota', body: { role: 'p', guarantee: [scalar('mem', 64)] } },
  { what: 'PUT /quota', method: 'PUT', path: '/quota', body: {} },
  { what: 'DELETE /quota/p', method: 'DELETE', path: '/quota/p' },
];

function sorted(json: unknown): unknown {
  if (Array.isArray(json)) {
    return json.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, value]) => [key, sorted(value)]));
}

async function play(url: string, { method, path = '/api/v1', body }: Step) {
  const response = await fetch(`${url}${path === '/api/v1' ? path : `/master${path}`}`, {
    method: method ?? 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return [response.status, isJson ? sorted(JSON.parse(text)) : text];
}

const noReal = existsSync(realMaster) ? false : 'no real Mesos (set STRATA_REAL_MESOS)';
suite('quota as a real Mesos master has it', { skip: noReal }, () => {
  const machines = { own: new AgentMachine('own'), real: new AgentMachine('real') };
  before(async () => {
    await machines.own.start();
    await machines.real.start();
  });
  after(async () => {
    await machines.own.close();
    await machines.real.close();
  });
  for (const [i, step] of steps.entries()) {
    test(`${i} ${step.what}`, async () => {
      const real = await play(machines.real.masterUrl, step);
      const own = await play(machines.own.masterUrl, step);
      if (step.own !== undefined) {
        assert.notDeepEqual(own, real, 'no difference left: take its answer away');
      }
      assert.deepEqual(own, step.own ?? real);
    });
  }
});
