// The devices of containers: those that every one may use, and those of `--allowed_devices`.
import { statSync } from 'node:fs';

/** null, zero, full, random, urandom, tty, console, ptmx, pts, tun: as Mesos' cgroups/devices. */
export const DEVICES_OF_ALL = [
  'c *:* m',
  'b *:* m',
  'c 1:3 rwm',
  'c 1:5 rwm',
  'c 1:7 rwm',
  'c 1:8 rwm',
  'c 1:9 rwm',
  'c 5:0 rwm',
  'c 5:1 rwm',
  'c 5:2 rwm',
  'c 136:* rwm',
  'c 10:200 rwm',
];

export interface AllowedDevice {
  /** As cgroups have it: `c 10:229 rw`. */
  readonly rule: string;
  /** Where it is on the machine; undefined when only its number was given. */
  readonly path: string | undefined;
}

interface Given {
  readonly device?: {
    readonly path?: string;
    readonly number?: { readonly major_number?: number; readonly minor_number?: number };
  };
  readonly access?: { readonly read?: boolean; readonly write?: boolean; readonly mknod?: boolean };
}

function numbersAt(path: string): readonly [string, number, number] {
  const about = statSync(path, { throwIfNoEntry: false });
  const type = about?.isCharacterDevice() === true ? 'c' : about?.isBlockDevice() ? 'b' : undefined;
  if (about === undefined || type === undefined) throw new Error(`'${path}' is no device`);
  // As the kernel encodes dev_t for programs.
  const { rdev } = about;
  return [type, (rdev >>> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
}

/** Paths with commas between them, each one read and written by whoever gets it. */
export function devicePaths(text: string): readonly AllowedDevice[] {
  const paths = text.split(',').filter(Boolean);
  if (new Set(paths).size !== paths.length) throw new Error('a device is named twice');
  return paths.map((path) => {
    const [type, major, minor] = numbersAt(path);
    return { rule: `${type} ${major}:${minor} rw`, path };
  });
}

/** `{"allowed_devices": [{"device": {"path": "/dev/fuse"}, "access": {"read": true, …}}]}` */
export function allowedDevices(text: string): readonly AllowedDevice[] {
  if (text === '') return [];
  const { allowed_devices: list } = JSON.parse(text) as { allowed_devices?: readonly Given[] };
  if (!Array.isArray(list)) throw new Error('it has no list of allowed_devices');
  return list.map(({ device, access }: Given) => {
    const { path, number } = device ?? {};
    const { read, write, mknod } = access ?? {};
    const letters = `${read ? 'r' : ''}${write ? 'w' : ''}${mknod ? 'm' : ''}`;
    if (letters === '') throw new Error('a device has no access');
    if (path !== undefined) {
      const [type, major, minor] = numbersAt(path);
      return { rule: `${type} ${major}:${minor} ${letters}`, path };
    }
    const { major_number: major, minor_number: minor } = number ?? {};
    if (major === undefined || minor === undefined) {
      throw new Error('a device has neither path nor number');
    }
    return { rule: `c ${major}:${minor} ${letters}`, path };
  });
}
