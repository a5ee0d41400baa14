// The OpenAPI documents of the built-in kinds, for a build step to write down: making them takes a server a third
// of a second of its first clients' time, and twenty megabytes.
import { createHash } from 'node:crypto';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { openApiPaths, openApiV2, openApiV3 } from './documents.ts';
import type { Descriptions } from './texts.ts';

/** By the path of openApiPaths(), or `v2`. */
export type MadeDocuments = Readonly<Record<string, MadeDocument>>;

export interface MadeDocument {
  /** See hashOf(). */
  readonly hash: string;
  /** There is a file with gzip beside it. */
  readonly isPacked: boolean;
}

export const OPEN_API_V2 = 'v2';

/** By which clients keep a document of the third version. */
export function hashOf(text: string): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}

export function fileOf(path: string): string {
  return `${path.replaceAll('/', '_')}.json`;
}

/** One at a time: all of them are some megabytes. */
export function* allDocuments(
  registry: ResourceRegistry,
  descriptions: Descriptions,
): Generator<{ readonly path: string; readonly text: string }> {
  yield { path: OPEN_API_V2, text: JSON.stringify(openApiV2(registry, descriptions)) };
  for (const path of openApiPaths(registry)) {
    const document = openApiV3(registry, path, descriptions);
    if (document !== undefined) yield { path, text: JSON.stringify(document) };
  }
}
