// The socket of executors: in the file system, or passed by systemd as sd_listen_fds(3) has it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { ExecutorSocket, passedSocket, socketPath } from './executor-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-socket-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const paths = new Set(['/a']);

async function statusOf(socket: string, path: string): Promise<number | undefined> {
  const sent = request({ socketPath: socket, path, agent: false }).end();
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

test('it answers for its paths only, in the place of one that an earlier life has left', async () => {
  const location = join(folder, 'own.sock');
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(location)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  await once(child, 'exit');
  assert.ok(existsSync(location));
  const socket = await ExecutorSocket.open({ location, paths, http: {} });
  socket.onRequest((_, response) => response.writeHead(202).end());
  assert.equal(await statusOf(location, '/a?b'), 202);
  assert.equal(await statusOf(location, '/a/b'), 403);
  await socket.close();
  assert.ok(!existsSync(location));
});

test('a file that is no socket stays, and ends the start', async () => {
  const location = join(folder, 'file');
  writeFileSync(location, '');
  await assert.rejects(
    ExecutorSocket.open({ location, paths, http: {} }),
    (error) => faultCode(error) === 'cannot-listen' && /EADDRINUSE/.test(String(error)),
  );
  assert.ok(existsSync(location));
});

test('the one of its name that was passed is found, and it must be one', () => {
  const of = (LISTEN_FDS: string, LISTEN_FDNAMES?: string) =>
    passedSocket('agent', { LISTEN_PID: '7', LISTEN_FDS, LISTEN_FDNAMES }, 7);
  assert.equal(of('1', 'agent'), 3);
  assert.equal(of('3', 'http:agent:more'), 4);
  assert.equal(of('1'), 3);
  assert.equal(of('1', 'unknown'), 3);
  for (const [count, names] of [
    ['0', ''],
    ['1', 'http'],
    ['2', 'agent:agent'],
    ['2', 'agent:'],
  ] as const) {
    assert.throws(() => of(count, names), /Expected exactly one socket with name agent, got \d/);
  }
  assert.throws(() => passedSocket('agent', { LISTEN_PID: '8', LISTEN_FDS: '1' }, 7), /got 0/);
});

test('one that was passed is listened to, and its path is told', async () => {
  const path = join(folder, 'passed.sock');
  // What systemd does: it listens, and starts the program with that at the third descriptor.
  const starter = `use Socket; use POSIX; $^F = 9; my $path = shift; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
    bind($s, pack_sockaddr_un($path)) or die; listen($s, 5) or die; POSIX::dup2(fileno($s), 3) or die;
    @ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, 1, 'agent'); exec @ARGV;`;
  const program = `
    import { ExecutorSocket } from ${JSON.stringify(join(import.meta.dirname, 'executor-socket.ts'))};
    const socket = await ExecutorSocket.open({ location: 'systemd:agent', paths: new Set(['/a']), http: {} });
    socket.onRequest((_, response) => { response.writeHead(202).end(); void socket.close(); });
    console.log(socket.path);`;
  const node = [process.execPath, '--input-type=module', '-e', program];
  const child = spawn('perl', ['-e', starter, path, ...node], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
  const [said] = await once(child.stdout, 'data');
  assert.equal(String(said).trim(), path);
  const [status, [exit]] = await Promise.all([statusOf(path, '/a'), once(child, 'exit')]);
  assert.deepEqual([status, exit], [202, 0]);
});

test('a path that the kernel does not take is refused', () => {
  assert.equal(socketPath(''), undefined);
  assert.equal(socketPath('/run/agent.sock'), '/run/agent.sock');
  assert.throws(() => socketPath(`/${'x'.repeat(107)}`), /longer than 108/);
});
