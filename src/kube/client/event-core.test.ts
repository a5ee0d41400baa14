// What becomes of events: counted, combined, held back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { EventCore, type EventEffect, type EventNote } from './event-core.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const note = (message: string, name = 'p'): EventNote => ({
  about: { apiVersion: 'v1', kind: 'Pod', namespace: 'ns', name, uid: `uid-${name}` },
  type: 'Normal',
  reason: 'Pulled',
  message,
});

function field(effect: EventEffect, name: string): unknown {
  if (effect.kind === 'create') return effect.event[name];
  return effect.kind === 'count' ? effect.patch[name] : undefined;
}

test('EventCore counts what is said again, whatever version it is about', () => {
  const core = new EventCore({ component: 'test', host: 'h' });
  const first = core.onNote(note('x'), start);
  assert.equal(first.kind, 'create');
  assert.equal(field(first, 'count'), 1);
  assert.deepEqual(field(first, 'source'), { component: 'test', host: 'h' });
  const about = { ...note('x').about, resourceVersion: '7' };
  const again = core.onNote({ ...note('x'), about }, start + 5_000);
  assert.equal(again.kind, 'count');
  assert.equal(field(again, 'count'), 2);
  assert.equal(field(again, 'lastTimestamp'), '2026-01-01T00:00:05Z');
  assert.ok(again.kind === 'count' && again.event['firstTimestamp'] === '2026-01-01T00:00:00Z');
});

test('EventCore combines the eleventh of similar events within ten minutes', () => {
  const core = new EventCore({ component: 'test' });
  const kinds: string[] = [];
  for (let i = 0; i < 13; i++) {
    const effect = core.onNote(note(`try ${i}`), start + i);
    kinds.push(`${effect.kind} ${String(field(effect, 'message'))}`);
  }
  assert.equal(kinds[9], 'create try 9');
  assert.equal(kinds[10], 'create (combined from similar events): try 10');
  assert.equal(kinds[12], 'count (combined from similar events): try 12');
  assert.equal(core.onNote(note('much later'), start + 20 * 60_000).kind, 'create');
});

test('EventCore lets 25 through about one object, then one in five minutes', () => {
  const core = new EventCore({ component: 'test' });
  const kinds = Array.from({ length: 30 }, () => core.onNote(note('x'), start).kind);
  assert.equal(kinds.filter((kind) => kind !== 'drop').length, 25);
  assert.equal(core.onNote(note('x', 'other'), start).kind, 'create');
  assert.equal(core.onNote(note('x'), start + 299_000).kind, 'drop');
  assert.equal(core.onNote(note('x'), start + 301_000).kind, 'count');
});

test('EventCore begins anew when the counted event is gone', () => {
  const core = new EventCore({ component: 'test' });
  const first = core.onNote(note('x'), start);
  assert.ok(first.kind === 'create');
  core.onLost(first.key);
  assert.equal(core.onNote(note('x'), start + 1).kind, 'create');
});
