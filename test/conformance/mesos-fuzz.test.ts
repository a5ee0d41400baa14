// The master is fed with what is almost valid, for twenty seconds or longer, and with
// subscribers that read nothing: it answers, stays whole and gives back what it took.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { startFuzzedMaster } from '#test/support/fuzz/fuzzed-master.ts';
import { MasterFuzzer, rssMb } from '#test/support/fuzz/fuzzer.ts';
import { Scheduler, Stream, World } from '#test/support/mesos-differential/player.ts';
import { aFramework } from '#test/support/mesos-differential/scenes/things.ts';

const FUZZ_MS = 20_000;
const REQUESTS_MIN = 200;
/** Another seed finds another way; tools/fuzz-mesos.ts goes on for longer. */
const seed = Number(process.env['STRATA_FUZZ_SEED'] ?? 7);
const GROWTH_MB_MAX = 250;
const STUCK = 8;
/** Each event so large, so many of them: far more than may wait for one reader. */
const LABEL_BYTES = 1_000_000;
const EVENTS_MAX = 60;
const STUCK_MB_MAX = 500;

suite('bad input to the master', () => {
  test(`fuzzing with seed ${seed} finds nothing`, async () => {
    const master = await startFuzzedMaster();
    try {
      const result = await new MasterFuzzer(master, seed).run(FUZZ_MS, REQUESTS_MIN);
      assert.deepEqual(result.findings, []);
      assert.ok(master.isRunning());
      assert.ok(result.requests >= REQUESTS_MIN, `${result.requests} requests`);
      assert.ok(result.filesAfter <= result.filesBefore, 'connections come back');
      const [first = 0] = result.rssMb;
      const grown = (result.rssMb.at(-1) ?? 0) - first;
      assert.ok(grown < GROWTH_MB_MAX, `it has grown by ${grown} MB`);
    } finally {
      await master.close();
    }
  });

  test('subscribers that read nothing are cut off, those that read are not', async () => {
    const master = await startFuzzedMaster();
    const world = new World(`http://127.0.0.1:${master.port}`);
    const sockets = Array.from({ length: STUCK }, () => {
      const body = '{"type":"SUBSCRIBE"}';
      const socket = connect(master.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.pause();
      socket.write(
        'POST /api/v1 HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n' +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      return socket;
    });
    try {
      const reader = new Stream(world, 'reader', 'MasterEvent');
      await reader.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
      const scheduler = await new Scheduler(world, 'loud').subscribe(aFramework('loud'));
      const metric = async (): Promise<number> => {
        const { bytes } = await world.ask({ path: '/metrics/snapshot' });
        const all = JSON.parse(bytes.toString()) as Record<string, number>;
        return all['master/operator_event_stream_subscribers'] ?? 0;
      };
      await eventually('all have subscribed', async () =>
        (await metric()) === STUCK + 1 ? true : undefined,
      );
      let most = 0;
      let told = 0;
      while ((await metric()) > 1 && told < EVENTS_MAX) {
        told += 1;
        const labels = { labels: [{ key: String(told), value: 'x'.repeat(LABEL_BYTES) }] };
        const info = aFramework('loud', { id: { value: scheduler.frameworkId }, labels });
        const update_framework = { framework_info: info };
        const { status } = await scheduler.call('', { type: 'UPDATE_FRAMEWORK', update_framework });
        assert.equal(status, 200);
        most = Math.max(most, rssMb(master.pid));
      }
      assert.equal(await metric(), 1, 'only the reader is left');
      assert.ok(most < STUCK_MB_MAX, `${most} MB`);
      await eventually('the reader has everything', async () =>
        reader.events.filter(({ type }) => type === 'FRAMEWORK_UPDATED').length === told
          ? true
          : undefined,
      );
    } finally {
      for (const socket of sockets) socket.destroy();
      world.close();
      await master.close();
    }
  });
});
