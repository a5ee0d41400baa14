// docs/operating/mesos-inventory.md is true: every test that a row names is there, and what the row has
// in code is named by one of them; every row has tests or a reason.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '#test/support/cluster.ts';

const folders: Readonly<Record<string, string>> = {
  S: 'test/support/mesos-differential/scenes',
  C: 'test/conformance',
  M: 'src/mesos/master',
  A: 'src/mesos/allocator',
  R: 'src/mesos/resources',
  G: 'src/mesos/agent',
  Y: 'src/mesos/security',
  E: 'src/mesos/election',
  V: 'src/mesos/registry',
  L: 'src/mesos/libprocess',
  F: 'src/mesos/flags',
  X: 'sim',
};

const ROWS_MIN = 200;
const AGENT_ROWS_MIN = 60;

const page = readFileSync(join(root, 'docs/operating/mesos-inventory.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|[a-z ]+ \| shown by)/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

function fileOf(name: string): string | undefined {
  const [, folder = '', base = ''] = /^([A-Z])\/([\w-]+)$/.exec(name) ?? [];
  const where = folders[folder];
  return where === undefined
    ? undefined
    : join(root, where, `${base}${folder === 'S' ? '' : '.test'}.ts`);
}

/** What stands in code. */
const codes = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

test('every test that is named is there', () => {
  const missing = rows
    .flatMap(([, by = '']) => codes(by))
    .filter((name) => /^[A-Z]\//.test(name) && !existsSync(fileOf(name) ?? ''));
  assert.deepEqual(missing, []);
});

test('what a row has in code is named by its tests', () => {
  const unnamed = rows.flatMap(([what = '', by = '']) => {
    const files = codes(by).flatMap((name) => fileOf(name) ?? []);
    if (files.length === 0) return [];
    const text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
    return codes(what)
      .map((code) => code.replace(/^--/, ''))
      .filter((code) => !text.toLowerCase().includes(code.toLowerCase()));
  });
  assert.deepEqual(unnamed, []);
});

test('every row has tests or a reason, and there are as many rows as there were', () => {
  const bare = rows.filter(([, by = '']) => by.trim() === '' || by.includes('MISSING'));
  assert.deepEqual(bare, []);
  assert.ok(rows.length >= ROWS_MIN, `${rows.length} rows`);
});

// ---- the agent's page, which names files whole

const agentRows = readFileSync(join(root, 'docs/operating/mesos-agent-inventory.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|what \| shown by)/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

/** A name without a folder lies beside the one before it. */
function agentFiles(by: string): string[] {
  let folder = '';
  return codes(by)
    .filter((code) => code.endsWith('.test.ts'))
    .map((code) => {
      const path = code.replace(/^C\//, 'test/conformance/').replace(/^M\//, 'src/mesos/');
      if (!path.includes('/')) return join(root, folder, path);
      folder = path.slice(0, path.lastIndexOf('/'));
      return join(root, path);
    });
}

test("every row of the agent's page names tests that are there, or a reason", () => {
  const wrong = agentRows.flatMap(([what = '', by = '']) => {
    const files = agentFiles(by);
    if (files.length === 0) return by.startsWith('not here: ') ? [] : [what];
    return files.filter((file) => !existsSync(file));
  });
  assert.deepEqual(wrong, []);
  assert.ok(agentRows.length >= AGENT_ROWS_MIN, `${agentRows.length} rows`);
});

test("flags, variables and calls of a row of the agent's page are named by its tests", () => {
  const unnamed = agentRows.flatMap(([what = '', by = '']) => {
    const files = agentFiles(by).filter(existsSync);
    if (files.length === 0) return [];
    const text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
    return codes(what)
      .filter((code) => /^(--\w+|MESOS_\w+|\w+Message)$/.test(code))
      .map((code) => code.replace(/^--/, ''))
      .filter((code) => !text.includes(code));
  });
  assert.deepEqual(unnamed, []);
});
