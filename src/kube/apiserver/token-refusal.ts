// What those who check tokens share: how they refuse one, and how they look up what it stands for.
import type { KubeObject } from '#kube/meta/object.ts';

/** A token of this server that is not valid; the message says why, as TokenReview tells it. */
export class TokenRefusal extends Error {
  override readonly name = 'TokenRefusal';
}

export type Lookup = (
  resource: string,
  namespace: string | undefined,
  name: string,
) => Promise<KubeObject | undefined>;
