// Plays a scene against a master and gives what was answered; where recordings are kept.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Scene } from './corpus.ts';
import type { RunningMaster } from './masters.ts';
import { World, type Entry } from './player.ts';

export async function playScene(scene: Scene, master: RunningMaster): Promise<readonly Entry[]> {
  const world = new World(master.url);
  world.masterUrl = master.masterUrl ?? master.url;
  for (const [own, name] of master.texts ?? []) world.texts.set(own, name);
  try {
    await scene.play(world);
  } catch (error) {
    world.keep('broken off', { body: String(error) });
  } finally {
    world.close();
    await master.close();
  }
  return world.entries;
}

function pathOf(scene: Scene): string {
  return join(import.meta.dirname, `../../vectors/mesos-differential/${scene.name}.json`);
}

export function readRecording(scene: Scene): readonly Entry[] {
  return JSON.parse(readFileSync(pathOf(scene), 'utf8')) as Entry[];
}

/** One entry a line: compact, and a change shows as one line. */
export function writeRecording(scene: Scene, entries: readonly Entry[]): void {
  const lines = entries.map((entry) => JSON.stringify(entry));
  writeFileSync(pathOf(scene), `[\n${lines.join(',\n')}\n]\n`);
}
