// The shim of the process host without a POSIX shell: a Node program that outlives who has started it, waits for its
// command, and notes how that ended. It is handed over as text, so it uses nothing of this file but itself.
import type { Socket } from 'node:net';

/**
 * Arguments: `strata-shim`, the state folder, and where it is to be reached. Lines of the folder's file `status`:
 * `started PID SHIM-PID MILLISECONDS`, then `ended exited CODE MILLISECONDS` or `ended signaled NUMBER MILLISECONDS`.
 * Who connects is sent the first of them, and is cut off with the shim.
 */
function shim(): void {
  const fs = process.getBuiltinModule('node:fs');
  const net = process.getBuiltinModule('node:net');
  const { constants } = process.getBuiltinModule('node:os');
  const { spawn } = process.getBuiltinModule('node:child_process');
  const [, , folder = '', pipe = ''] = process.argv;
  const note = (line: string): void => fs.appendFileSync(`${folder}/status`, `${line}\n`);
  const isWindows = process.platform === 'win32';
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  const spec = JSON.parse(fs.readFileSync(`${folder}/spec.json`, 'utf8'));
  // It may have secrets in its environment.
  fs.rmSync(`${folder}/spec.json`);
  let started = '';
  const open = new Set<Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    if (started !== '') socket.write(started);
  });
  const tell = (pid: number): void => {
    started = `started ${pid} ${process.pid} ${Date.now()}\n`;
    note(started.trimEnd());
    for (const socket of open) socket.write(started);
  };
  const end = (how: string): void => {
    note(`ended ${how} ${Date.now()}`);
    process.exit(0);
  };
  const file = (path: string | undefined, flags: string): number | 'ignore' =>
    path === undefined ? 'ignore' : fs.openSync(path, flags);
  server.listen(pipe, () => {
    const out = file(spec.stdoutPath, 'a');
    const err = spec.stderrPath === spec.stdoutPath ? out : file(spec.stderrPath, 'a');
    const child = spawn(spec.argv[0], spec.argv.slice(1), {
      cwd: spec.cwd,
      env: spec.env,
      stdio: [file(spec.stdinPath, 'r'), out, err],
      // A process group of its own, or a console.
      detached: true,
      windowsHide: true,
      windowsVerbatimArguments: /^cmd(\.exe)?$/i.test(spec.argv[0]),
      ...(spec.uid === undefined ? {} : { uid: spec.uid }),
      ...(spec.gid === undefined ? {} : { gid: spec.gid }),
    });
    child.once('spawn', () => tell(child.pid ?? 0));
    child.once('error', (error: NodeJS.ErrnoException) => {
      tell(0);
      end(`exited ${error.code === 'EACCES' ? 126 : 127}`);
    });
    child.once('exit', (code, signal) => {
      try {
        if (!isWindows) process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // Nothing of its group is left.
      }
      // Windows tells no signals: who has killed it has left a note of which.
      const killed = fs.existsSync(`${folder}/killed`)
        ? fs.readFileSync(`${folder}/killed`, 'utf8')
        : '';
      if (signal !== null) end(`signaled ${constants.signals[signal]}`);
      else if (isWindows && code !== 0 && killed !== '') end(`signaled ${killed}`);
      else end(`exited ${code ?? 0}`);
    });
  });
}

export const portableShim = `(${shim.toString()})();`;
