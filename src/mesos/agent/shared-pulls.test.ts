// Who joins a pull, who leaves it, and when it is given up.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SharedPulls } from './shared-pulls.ts';

suite('pulls of images that several wait for', () => {
  function pulls() {
    const shared = new SharedPulls<string>();
    const begun: { readonly signal: AbortSignal; readonly end: (text: string) => void }[] = [];
    const taken: string[] = [];
    const begin = (own: AbortSignal): Promise<string> => {
      const { promise, resolve } = Promise.withResolvers<string>();
      begun.push({ signal: own, end: resolve });
      return promise;
    };
    const want = (key: string, signal: AbortSignal): Promise<string> =>
      shared.join(key, signal, begin, (made) => {
        taken.push(made);
        return made;
      });
    return { shared, begun, taken, want };
  }
  const never = new AbortController().signal;

  test('all who come while it lasts share one, by its name', async () => {
    const { begun, want } = pulls();
    const [one, two, other] = [want('a', never), want('a', never), want('b', never)];
    assert.equal(begun.length, 2);
    begun[0]?.end('a');
    begun[1]?.end('b');
    assert.deepEqual(await Promise.all([one, two, other]), ['a', 'a', 'b']);
    const again = want('a', never);
    begun[2]?.end('anew');
    assert.equal(await again, 'anew');
  });

  test('who leaves does not disturb the others; the last to leave ends it', async () => {
    const { begun, want, shared, taken } = pulls();
    const [first, second] = [new AbortController(), new AbortController()];
    const one = want('a', first.signal);
    const two = want('a', second.signal);
    first.abort(new Error('killed'));
    await assert.rejects(one, /killed/);
    assert.equal(begun[0]?.signal.aborted, false);
    second.abort(new Error('killed, too'));
    await assert.rejects(two, /killed, too/);
    assert.equal(begun[0]?.signal.aborted, true);

    // What has been given up is still at work: another one begins, and both are waited for.
    const three = want('a', never);
    assert.equal(begun.length, 2);
    let isSettled = false;
    const settled = shared.settled().then(() => (isSettled = true));
    begun[1]?.end('whole');
    assert.equal(await three, 'whole');
    assert.equal(isSettled, false);
    begun[0]?.end('too late');
    await settled;
    assert.deepEqual(taken, ['whole']);
  });

  test('whoever waits for all to be settled finds what was taken', async () => {
    const { begun, want, shared, taken } = pulls();
    const one = want('a', never);
    const two = want('a', never);
    const settled = shared.settled().then(() => [...taken]);
    begun[0]?.end('whole');
    assert.deepEqual(await settled, ['whole', 'whole']);
    await Promise.all([one, two]);
  });

  test('who is gone before it begins begins none', async () => {
    const { begun, want } = pulls();
    await assert.rejects(want('a', AbortSignal.abort(new Error('gone'))), /gone/);
    assert.equal(begun.length, 0);
  });

  test('a pull that fails does so for all, and the next one is another', async () => {
    const shared = new SharedPulls<string>();
    const fail = () =>
      shared.join('a', never, () => Promise.reject(new Error('no such image')), String);
    const results = await Promise.allSettled([fail(), fail()]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(await shared.join('a', never, async () => 'there', String), 'there');
  });
});
