// What a user sees of `strata up`, on a terminal and elsewhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Home } from '#supervisor/home.ts';
import { createProgress, type PartLine } from './progress.ts';

const home = {
  instances: () => [{ name: 'default' }],
  kubeconfig: (name: string) => `/h/${name}`,
} as unknown as Home;
const starting = (name: string): PartLine => ({ name, state: 'starting' });
const ready = (name: string): PartLine => ({ name, state: 'ready', url: `http://${name}` });

/** The screen after the text: enough of a terminal for what is written here. */
function screen(text: string): string[] {
  const rows = [''];
  let row = 0;
  // A regular expression must not have the escape character: its picture stands for it.
  const codes = text.replaceAll('\u001b', '␛');
  for (const [, up, clear, end, other] of codes.matchAll(/␛\[(\d+)A|(␛\[2K)|(\n)|([^\n␛]+)/g)) {
    if (up !== undefined) row -= Number(up);
    else if (clear !== undefined) rows[row] = '';
    else if (end !== undefined) rows[++row] ??= '';
    else rows[row] = (rows[row] ?? '') + (other ?? '');
  }
  return rows.map((one) => one.trimEnd());
}

function play(out: { isTTY: boolean; columns?: number }): string {
  let text = '';
  const write = (chunk: unknown): boolean => {
    text += String(chunk);
    return true;
  };
  const progress = createProgress({ ...out, write } as Parameters<typeof createProgress>[0]);
  progress.show([starting('master')], home);
  progress.show([starting('master'), starting('agent-1')], home);
  const failed = { name: 'agent-1', state: 'waiting', exit: 'exit status 1: the disk is full' };
  progress.show([ready('master'), failed], home);
  progress.show([ready('master'), ready('agent-1')], home);
  progress.show([{ name: 'master', state: 'waiting', exit: 'SIGKILL' }, ready('agent-1')], home);
  return text;
}

const after = [
  'kubeconfig: /h/default',
  '',
  'Try next:',
  '  export KUBECONFIG=/h/default',
  '  kubectl get nodes -o wide',
  "  kubectl create deployment web --image=host -- sh -c 'while date; do sleep 5; done'",
  'master: ended, starts again soon (SIGKILL)',
  '',
];

test('on a terminal there is one line for each part, and plain lines after all are ready', () => {
  assert.deepEqual(screen(play({ isTTY: true, columns: 80 })), [
    '  ✔ master           ready at http://master',
    '  ✔ agent-1          ready at http://agent-1',
    ...after,
  ]);
});

test('no line of the live list is wider than the terminal', () => {
  const lines = play({ isTTY: true, columns: 30 }).split('\n');
  const live = lines.filter((line) => line.includes('\u001b[2K'));
  assert.ok(live.length >= 6);
  for (const line of live) assert.ok(line.replace(/^.*\[2K/, '').length < 30, line);
});

test('elsewhere each change is a line', () => {
  assert.deepEqual(play({ isTTY: false }).split('\n'), [
    'master: starting',
    'agent-1: starting',
    'master: ready at http://master',
    'agent-1: ended, starts again soon (exit status 1: the disk is full)',
    'agent-1: ready at http://agent-1',
    ...after,
  ]);
});
