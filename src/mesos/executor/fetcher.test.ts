// What is fetched into a sandbox and how, from files and from a server of the test's own; the cache
// (fetcher_tests and fetcher_cache_tests of Mesos 1.11 ask the same).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { CommandInfo_URI } from '#wire/mesos/v1.ts';
import { Fetcher } from './fetcher.ts';

const timers = {
  after(ms: number, fire: () => void) {
    const timer = setTimeout(fire, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

suite('fetcher', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-fetcher-'));
  const requests: string[] = [];
  let server: Server;
  let url = '';
  let count = 0;

  before(async () => {
    mkdirSync(join(folder, 'home'));
    writeFileSync(join(folder, 'home/plain'), 'plain');
    mkdirSync(join(folder, 'tree/sub'), { recursive: true });
    writeFileSync(join(folder, 'tree/sub/file'), 'in an archive');
    execFileSync('tar', ['-czf', join(folder, 'home/a.tgz'), '-C', join(folder, 'tree'), 'sub']);
    writeFileSync(join(folder, 'home/one.gz'), gzipSync('unzipped'));
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      if (request.url === '/stalls') {
        response.write('some');
        return;
      }
      if (request.url?.startsWith('/big') === true) {
        response.end(Buffer.alloc(600));
        return;
      }
      const path = join(folder, 'home', request.url ?? '');
      if (!existsSync(path)) response.writeHead(404).end();
      else response.end(readFileSync(path));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function fetcher(more: { cacheBytesMax?: number; stallMs?: number } = {}): Fetcher {
    const cacheFolder = join(folder, `cache-${(count += 1)}`);
    const frameworksHome = join(folder, 'home');
    const options = { cacheFolder, cacheBytesMax: 1_000, stallMs: 60_000, frameworksHome };
    return new Fetcher({ ...options, ...more }, { timers });
  }

  async function into(
    one: Fetcher,
    uris: readonly CommandInfo_URI[],
    more: { user?: string; owner?: { uid: number; gid: number } } = {},
  ): Promise<string> {
    const sandbox = join(folder, `sandbox-${(count += 1)}`);
    mkdirSync(sandbox);
    await one.fetchAll({ uris, sandbox, containerId: 'c', user: 'root', ...more });
    return sandbox;
  }

  const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

  test('a file by its path, by file:, below the home of frameworks, and by http', async () => {
    const file = join(folder, 'home/plain');
    for (const value of [
      file,
      `file://${file}`,
      `file://localhost${file}`,
      'plain',
      `${url}/plain`,
    ]) {
      assert.equal(read(await into(fetcher(), [{ value }]), 'plain'), 'plain', value);
    }
  });

  test('under another name, also in a folder', async () => {
    const sandbox = await into(fetcher(), [{ value: 'plain', output_file: 'x/y' }]);
    assert.equal(read(sandbox, 'x/y'), 'plain');
  });

  test('an archive is unpacked and stays, unless it is not to be unpacked, or is a program', async () => {
    const open = await into(fetcher(), [{ value: 'a.tgz' }]);
    assert.deepEqual(readdirSync(open).toSorted(), ['a.tgz', 'sub']);
    const closed = await into(fetcher(), [{ value: 'a.tgz', extract: false }]);
    assert.deepEqual(readdirSync(closed), ['a.tgz']);
    const program = await into(fetcher(), [{ value: 'a.tgz', executable: true }]);
    assert.deepEqual(readdirSync(program), ['a.tgz']);
    assert.equal(statSync(join(program, 'a.tgz')).mode & 0o111, 0o111);
    const gz = await into(fetcher(), [{ value: 'one.gz' }]);
    assert.equal(read(gz, 'one'), 'unzipped');
  });

  const refused = [
    { value: 'absent', why: /ENOENT/ },
    { value: 'hdfs://x/y', why: /scheme that is not supported/ },
    { value: 'plain', output_file: '/etc/x', why: /no place in the sandbox/ },
    { value: 'plain', output_file: '../x', why: /no place in the sandbox/ },
  ];
  for (const { why, ...uri } of refused) {
    test(`refused: ${uri.value} as ${uri.output_file ?? 'itself'}`, async () => {
      const one = fetcher();
      const start = /^Failed to fetch all URIs for container 'c': /;
      await assert.rejects(into(one, [uri]), (error: Error) => {
        assert.match(error.message, start);
        assert.match(error.message, why);
        return true;
      });
      assert.deepEqual([one.succeeded, one.failed], [0, 1]);
    });
  }

  test('an answer that is no success, and one that stalls', async () => {
    await assert.rejects(into(fetcher(), [{ value: `${url}/absent` }]), /answered with 404/);
    const impatient = fetcher({ stallMs: 50 });
    await assert.rejects(into(impatient, [{ value: `${url}/stalls` }]), /stalled for 0.05 s/);
  });

  test('what is cached is downloaded once for all who ask at once, and later', async () => {
    const one = fetcher();
    requests.length = 0;
    const uris = [{ value: `${url}/plain`, cache: true }];
    const sandboxes = await Promise.all([into(one, uris), into(one, uris), into(one, uris)]);
    sandboxes.push(await into(one, uris));
    assert.deepEqual(requests, ['/plain']);
    for (const sandbox of sandboxes) assert.equal(read(sandbox, 'plain'), 'plain');
    assert.equal(one.cache.bytesUsed, 5);
    await into(one, uris, { user: 'other' });
    assert.equal(requests.length, 2, 'users do not see what others fetched');
  });

  test('of an archive that is cached only the content is in the sandbox', async () => {
    const sandbox = await into(fetcher(), [{ value: `${url}/a.tgz`, cache: true }]);
    assert.deepEqual(readdirSync(sandbox), ['sub']);
  });

  test('what was not used for the longest makes room; what is too large is not kept', async () => {
    const one = fetcher({ cacheBytesMax: 1_300 });
    const get = async (path: string): Promise<string> =>
      await into(one, [{ value: `${url}${path}`, cache: true }]);
    await get('/big1');
    await get('/big2');
    await get('/big1');
    await get('/big3');
    requests.length = 0;
    await get('/big1');
    assert.deepEqual(requests, []);
    await get('/big2');
    assert.deepEqual(requests, ['/big2']);
    const tiny = fetcher({ cacheBytesMax: 100 });
    assert.equal(
      statSync(join(await into(tiny, [{ value: `${url}/big1`, cache: true }]), 'big1')).size,
      600,
    );
    assert.equal(tiny.cache.bytesUsed, 0);
  });

  const noRoot = process.getuid?.() === 0 ? false : 'only root can give files away';
  test('what is fetched belongs to the user of the task', { skip: noRoot }, async () => {
    const owner = { uid: 12_345, gid: 12_346 };
    const sandbox = await into(fetcher(), [{ value: 'a.tgz' }], { owner });
    for (const name of ['a.tgz', 'sub', 'sub/file']) {
      const { uid, gid } = statSync(join(sandbox, name));
      assert.deepEqual({ uid, gid }, owner, name);
    }
  });
});
