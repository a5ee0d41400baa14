// What the suite that garbles objects is told of a kind.

export type Json = Record<string, unknown>;

export interface Mutated {
  readonly name: string;
  /** Of the collection that it is created in, or of the endpoint that it is sent to. */
  readonly path: string;
  /** POST where nothing is said. */
  readonly method?: 'PUT';
  /** Valid, with as many fields as go together. */
  readonly base: Json;
  /** Only what is there is garbled, when others have the rest as well. */
  readonly below?: string;
  /** False: no values of other types and unknown keys, of which others of the same have enough. */
  readonly hasTypes?: boolean;
  /** Whether it is also stored, and garbled when it is updated. */
  readonly isUpdated?: boolean;
  /** Valid at the status endpoint of what is stored. */
  readonly status?: Json;
  /** A condition that the server reports by itself, and is waited for before updates. */
  readonly reports?: string;
}

export const NAMESPACE = 'mutated';
export const HOME = `namespaces/${NAMESPACE}`;
/** The one that is asked for: others are drawn. */
export const NODE_PORT = 30_777;
