// Who the user of an image is: a name or a number, with a group or without, by the image's own files.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { layerEntry, resolveInside } from './image-layer.ts';

export interface Identity {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly groups?: readonly number[] | undefined;
}

const FILE_BYTES_MAX = 1024 * 1024;

/** The lines of a file of the image, split at colons; no link leads out of it. */
async function rows(layers: readonly string[], path: string): Promise<readonly string[][]> {
  const { path: found } = await resolveInside(layers, path);
  const entry = await layerEntry(layers, found);
  if (entry?.about.isFile() !== true || entry.about.size > FILE_BYTES_MAX) return [];
  const text = await readFile(join(entry.layer, found), 'utf8');
  return text.split('\n').map((line) => line.split(':'));
}

/** `layers`: folders, the uppermost first. Throws for a name that the image does not have. */
export async function identityIn(layers: readonly string[], user: string): Promise<Identity> {
  const [name = '', group] = user.split(':');
  const users = await rows(layers, 'etc/passwd');
  const own = users.find((row) => row[0] === name || row[2] === name);
  const uid = /^\d+$/.test(name) ? Number(name) : own?.[2];
  if (uid === undefined) throw new Error(`Failed to find user '${name}' in the image`);
  const groups = await rows(layers, 'etc/group');
  const named = groups.find((row) => row[0] === group)?.[2];
  if (group !== undefined && named === undefined && !/^\d+$/.test(group)) {
    throw new Error(`Failed to find group '${group}' in the image`);
  }
  const gid = Number(group === undefined ? (own?.[3] ?? 0) : (named ?? group));
  const more = own?.[0] ?? name;
  const ofGroups = groups
    .filter((row) => row[3]?.split(',').includes(more) === true)
    .map((row) => Number(row[2]));
  return { uid: Number(uid), gid, groups: [...new Set([gid, ...ofGroups])] };
}
