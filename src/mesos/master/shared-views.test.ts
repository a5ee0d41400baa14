// Who shares an answer that is expensive to build, and what happens when it cannot be built.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { Rope } from './rope.ts';
import { SharedViews } from './shared-views.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

function asked(asks: readonly (readonly [string, () => Buffer])[]): Promise<string[]> {
  return new Promise((done) => {
    const answers: string[] = [];
    const note = (asker: number, text: string): void => {
      answers.push(`${asker} ${text}`);
      if (answers.length === asks.length) done(answers);
    };
    const views = new SharedViews<number>(
      env,
      (asker, rope) => note(asker, rope.toBuffer().toString()),
      (asker, error) => note(asker, String(error)),
    );
    for (const [i, [key, build]] of asks.entries())
      views.ask(key, i, { refresh: () => true, compose: () => Rope.of([build()]) });
  });
}

test('who asks the same before it is built shares the answer; others get theirs', async () => {
  let built = 0;
  const build = (): Buffer => Buffer.from(`view ${(built += 1)}`);
  const answers = await asked([
    ['a', build],
    ['b', build],
    ['a', build],
  ]);
  assert.deepEqual(answers, ['0 view 1', '2 view 1', '1 view 2']);
});

test('a view that cannot be built fails for all who asked, and for nobody else', async () => {
  const broken = (): Buffer => {
    throw new Error('no');
  };
  const answers = await asked([
    ['a', broken],
    ['a', broken],
    ['b', () => Buffer.from('b')],
  ]);
  assert.deepEqual(answers, ['0 Error: no', '1 Error: no', '2 b']);
});

test('one who cannot be told is told of that alone, once', async () => {
  const told: string[] = [];
  await new Promise<void>((done) => {
    const views = new SharedViews<number>(
      env,
      (asker) => {
        if (asker === 0) throw new Error('gone');
        told.push(`${asker}`);
        if (asker === 2) done();
      },
      (asker, error) => told.push(`${asker} ${String(error)}`),
    );
    const view = { refresh: () => true, compose: () => Rope.of([Buffer.from('view')]) };
    for (const asker of [0, 1, 2]) views.ask('a', asker, view);
  });
  assert.deepEqual(told, ['0 Error: gone', '1', '2']);
});

test('who asks while it is being written shares it; it is put together at the end', async () => {
  let slices = 0;
  const answers: string[] = [];
  await new Promise<void>((done) => {
    const views = new SharedViews<number>(
      env,
      (asker, rope) => {
        answers.push(`${asker} ${rope.toBuffer().toString()}`);
        if (answers.length === 2) done();
      },
      (_asker, error) => assert.fail(String(error)),
    );
    const view = {
      refresh: () => {
        slices += 1;
        if (slices === 2) views.ask('a', 1, view);
        return slices === 3;
      },
      compose: () => new Rope().text(`after ${slices}`),
    };
    views.ask('a', 0, view);
  });
  assert.deepEqual(answers, ['0 after 3', '1 after 3']);
});
