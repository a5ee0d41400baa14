// What is fetched into a sandbox and how, from files and from a server of the test's own; the cache
// (fetcher_tests and fetcher_cache_tests of Mesos 1.11 ask the same).
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
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
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { CommandInfo_URI } from '#wire/mesos/v1.ts';
import { startFtp } from '#test/support/ftp-server.ts';
import { Fetcher } from './fetcher.ts';

const timers = {
  after(ms: number, fire: () => void) {
    const timer = setTimeout(fire, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setTimeout(done, 5));
}

suite('fetcher', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-fetcher-'));
  const requests: string[] = [];
  const held: ServerResponse[] = [];
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
      if (request.url === '/held') {
        held.push(response);
        return;
      }
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
    const programs = new Map([
      ['own', program('own', 'cp "$HOME_OF_TEST/${1#own:}" "$2"')],
      ['failing', program('failing', 'echo first >&2; echo "no such bucket" >&2; exit 3')],
      ['endless', program('endless', 'echo $$ > "$2"; sleep 600 & wait')],
      ['absent', join(folder, 'absent')],
    ]);
    const limits = { cacheBytesMax: 1_000, stallMs: 60_000 };
    const options = { cacheFolder, frameworksHome, programs, hadoopHome: folder, ...limits };
    return new Fetcher({ ...options, ...more }, { timers });
  }

  function program(name: string, text: string): string {
    const path = join(folder, `${name}.sh`);
    const script = `#!/bin/sh\nHOME_OF_TEST='${join(folder, 'home')}'\n${text}\n`;
    if (!existsSync(path)) writeFileSync(path, script, { mode: 0o755 });
    return path;
  }

  async function into(
    one: Fetcher,
    uris: readonly CommandInfo_URI[],
    more: { user?: string; owner?: { uid: number; gid: number }; signal?: AbortSignal } = {},
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
    { value: 'hdfs://x/y', why: /needs .*bin\/hadoop, which is not here/ },
    { value: 'absent:x', why: /needs .*absent, which is not here/ },
    {
      value: 'failing:x',
      why: /"failing:x" was not brought: .*failing.sh ended with 3: no such bucket/,
    },
    {
      value: `plain#sha256=${'0'.repeat(64)}`,
      why: /"plain" has the sha256 [0-9a-f]{64}, not 0{64}/,
    },
    { value: 'plain#sha256=abc', why: /a sha256 of other than 64 hex digits/ },
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

  test('what a URI brings is held to the digest in its fragment, which no server sees', async () => {
    requests.length = 0;
    const archive = readFileSync(join(folder, 'home/a.tgz'));
    const digest = (name: string, bytes: Buffer | string): string =>
      `#${name}=${createHash(name).update(bytes).digest('hex')}`;
    for (const cache of [false, true]) {
      const values = [
        `${url}/plain${digest('sha512', 'plain')}`,
        `${url}/a.tgz${digest('sha256', archive).toUpperCase().replace('SHA', 'sha')}`,
      ];
      const sandbox = await into(
        fetcher(),
        values.map((value) => ({ value, cache })),
      );
      assert.equal(read(sandbox, 'plain'), 'plain');
      assert.equal(read(sandbox, 'sub/file'), 'in an archive');
    }
    assert.deepEqual(new Set(requests), new Set(['/plain', '/a.tgz']));
    const other = await into(fetcher(), [{ value: `${url}/plain#part` }]);
    assert.equal(read(other, 'plain'), 'plain', 'a fragment of another kind says nothing');
  });

  test('what is not as its digest says is not there', async () => {
    const value = `${url}/plain#sha256=${'0'.repeat(64)}`;
    for (const cache of [false, true]) {
      const one = fetcher();
      await assert.rejects(into(one, [{ value, cache }]), /has the sha256/);
      assert.deepEqual(readdirSync(join(folder, `sandbox-${count}`)), []);
      assert.equal(one.cache.bytesUsed, 0);
    }
  });

  test('a scheme of the operator’s is brought by its program', async () => {
    assert.equal(read(await into(fetcher(), [{ value: 'own:plain' }]), 'plain'), 'plain');
  });

  test('other schemes are brought by Hadoop’s client, as Mesos does', async () => {
    mkdirSync(join(folder, 'bin'));
    const client = join(folder, 'bin/hadoop');
    writeFileSync(client, '#!/bin/sh\necho "$1 $2 $3" > "$4"\n', { mode: 0o755 });
    const sandbox = await into(fetcher(), [{ value: 'hdfs://name:8020/x/y.txt' }]);
    assert.equal(read(sandbox, 'y.txt'), 'fs -copyToLocal hdfs://name:8020/x/y.txt\n');
    rmSync(client);
  });

  const noCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'there is no curl';
  test('ftp is brought by curl', { skip: noCurl }, async () => {
    const ftp = await startFtp(new Map([['/pub/plain', 'by ftp']]));
    try {
      const place = `ftp://127.0.0.1:${ftp.port}/pub`;
      const sandbox = await into(fetcher(), [{ value: `${place}/plain` }]);
      assert.equal(read(sandbox, 'plain'), 'by ftp');
      await assert.rejects(into(fetcher(), [{ value: `${place}/absent` }]), /curl ended with \d+/);
    } finally {
      await ftp.close();
    }
  });

  test('what nobody waits for any more is given up, with all that a program has started', async () => {
    for (const value of [`${url}/stalls`, 'endless:x']) {
      const life = new AbortController();
      const fetching = into(fetcher(), [{ value }], { signal: life.signal });
      const file = join(folder, `sandbox-${count}`, basename(value.replace(':', '/')));
      await until(() => existsSync(file) && statSync(file).size > 0);
      const before = life.signal.reason as unknown;
      assert.equal(before, undefined);
      life.abort();
      await assert.rejects(fetching, /aborted/);
      const group = Number(read(file));
      if (group > 0) await until(() => !isAlive(-group));
    }
  });

  test('who gives up waiting for a cached file does not end it for others', async () => {
    const one = fetcher();
    const life = new AbortController();
    requests.length = 0;
    const uris = [{ value: `${url}/held`, cache: true }];
    const given = into(one, uris, { signal: life.signal });
    const kept = into(one, uris);
    await until(() => held.length === 1);
    life.abort();
    await assert.rejects(given, /aborted/);
    held.pop()?.end('held');
    assert.equal(read(await kept, 'held'), 'held');
    assert.deepEqual(requests, ['/held']);
  });

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
