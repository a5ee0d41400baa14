// Plays every scene against one API server.
import type { SendRaw } from '#test/support/kube-sender.ts';
import { kinds } from './kinds.ts';
import { Player, type Entry } from './player.ts';
import type { Recording } from './record.ts';
import { playPaths, playReviews, playSubresources } from './scene-others.ts';
import { namespace, playKind } from './scene.ts';

const others = { subresources: playSubresources, reviews: playReviews, paths: playPaths };

export async function playScenes(send: SendRaw, only: readonly string[] = []): Promise<Recording> {
  const found: Record<string, readonly Entry[]> = {};
  const setting = new Player(send);
  await setting.quietly('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  await setting.quietly('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    body: { metadata: { name: 'default' }, automountServiceAccountToken: false },
  });
  for (const one of kinds) {
    const name = `${one.apiVersion} ${one.resource}`;
    if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
    const player = new Player(send);
    await playKind(player, one);
    found[name] = player.entries;
  }
  for (const [name, play] of Object.entries(others)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const player = new Player(send);
    await play(player);
    found[name] = player.entries;
  }
  return found;
}
