// A patch as a client sends it: of which kind, and whether it takes fields of others (server-side apply).
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchRequest {
  readonly type: PatchType;
  readonly patch: unknown;
  readonly force: boolean;
  /** Paths of keys that stand twice in its text. */
  readonly duplicates?: readonly string[] | undefined;
}
