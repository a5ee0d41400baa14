// What the use of a service account's token leaves behind: it is counted, and a secret that a token lies in is
// labelled with the day.
import type { Log } from '#env/env.ts';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { withLastUsed, type TokenCounter, type TokenUse } from './legacy-tokens.ts';
import type { Exchange } from './bodies.ts';
import type { Resources } from './resources.ts';
import { systemWrite } from './system-write.ts';

interface Objects {
  readonly resources: Resources;
  readonly registry: ResourceRegistry;
}

/** The label is written after the request is let in, which does not wait for it. */
export function noteTokenUse(
  objects: Objects,
  metrics: { tokenUsed(name: TokenCounter): void },
  log: Log,
): (use: TokenUse) => void {
  return (use) => {
    for (const name of use.counts) metrics.tokenUsed(name);
    const info = objects.registry.byResource('', 'v1', 'secrets');
    if (use.usedOn === undefined || info === undefined) return;
    const { secret, day } = use.usedOn;
    const { namespace, name = '', uid } = secret.metadata;
    const change = objects.resources.modify(systemWrite(info, { namespace }), name, (live) =>
      live.metadata.uid === uid ? withLastUsed(live, day) : live,
    );
    change.catch((error: unknown) => {
      log.warn('Cannot label a secret with the day of its use', { namespace, name, error });
    });
  };
}

/** To whoever sent the token, and into the log of what was done. */
export function tellTokenUse(
  { warnings, annotations }: TokenUse,
  exchange: Pick<Exchange, 'audit' | 'warnings'>,
): void {
  if (warnings.length > 0) exchange.warnings = [...(exchange.warnings ?? []), ...warnings];
  if (exchange.audit !== undefined) Object.assign(exchange.audit.annotations, annotations);
}
