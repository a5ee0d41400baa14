// --webui_dir: the files of Mesos' web UI, for those who have them from an installation of Mesos: `/` is
// its index.html, `/app` and `/assets` are folders of it (inventory 10.5).
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import type { ServerResponse } from 'node:http';

/** Those that libprocess knows of the files that there are; it names no type for others. */
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.gif': 'image/gif',
  '.html': 'text/html',
  '.js': 'application/x-javascript',
  '.png': 'image/png',
};

export class WebUi {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Answers when the path is one of the UI; resolves to whether it did. `pathname` may have `/master`
   * before it. Nothing outside of the folder is read, whatever links and dots there are.
   */
  async handle(pathname: string, response: ServerResponse): Promise<boolean> {
    const name = decoded(pathname.replace(/^\/master(?=\/|$)/, ''));
    if (name === undefined) return false;
    const [first, ...rest] = name.split('/').filter((part) => part !== '');
    if (first !== undefined && first !== 'app' && first !== 'assets') return false;
    const path = first === undefined ? 'index.html' : join(first, ...rest);
    const file = await this.#find(path);
    if (file === undefined) return false;
    const type = types[extname(file.path)];
    response.writeHead(200, {
      ...(type === undefined ? {} : { 'Content-Type': type }),
      'Content-Length': file.size,
    });
    if (file.size === 0) response.end();
    else createReadStream(file.path, { end: file.size - 1 }).pipe(response);
    return true;
  }

  async #find(name: string): Promise<{ path: string; size: number } | undefined> {
    try {
      const [root, path] = await Promise.all([
        realpath(this.#folder),
        realpath(join(this.#folder, name)),
      ]);
      if (!path.startsWith(root + sep)) return undefined;
      const info = await stat(path);
      return info.isFile() ? { path, size: info.size } : undefined;
    } catch {
      return undefined;
    }
  }
}

function decoded(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
}
