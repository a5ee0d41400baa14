// A file that grows is followed from where it ended when its follower was promised what comes.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { endOf, follow } from './container-io.ts';

test('what is written after the end was taken is handed on, however late the follower begins', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-follow-'));
  const path = join(folder, 'stdout');
  try {
    writeFileSync(path, 'before');
    const from = await endOf(path);
    appendFileSync(path, ' between');
    const ended = Promise.withResolvers<void>();
    let text = '';
    const following = follow(
      path,
      from,
      { ended: ended.promise, signal: new AbortController().signal },
      async (chunk) => {
        text += chunk.toString();
        if (text === ' between') appendFileSync(path, ' after');
        else ended.resolve();
        await Promise.resolve();
      },
    );
    await following;
    assert.equal(text, ' between after');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
