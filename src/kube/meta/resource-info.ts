// What the API server knows of one served resource in one version: enough to serve it with no
// hand-written handler. Built-in resources come from the type table, others from their CRD.
import type { KubeObject } from './object.ts';
import type { Schema } from './schema.ts';

export interface SubresourceInfo {
  /** 'status', 'scale', 'log', 'exec', 'binding', 'eviction', 'token', 'approval', 'proxy' … */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  /** CRD scale: dotted JSON paths such as `.spec.replicas`. */
  readonly scalePaths?:
    | { readonly spec: string; readonly status: string; readonly selector?: string | undefined }
    | undefined;
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string | undefined;
  readonly description?: string | undefined;
  /** 0 shows always, above only in wide output. */
  readonly priority: number;
  /** CRDs: the value's path; built-in kinds are printed by kube/apiserver/printers. */
  readonly jsonPath?: string | undefined;
}

/** How objects that may be stored in another version are read and written. */
export interface ObjectCodec {
  /** Whether any object might need somebody else (a webhook) to be read. */
  readonly mayCall: boolean;
  /** Whether reading this object does. */
  needsCall(stored: KubeObject): boolean;
  /** May keep and change what it is given. */
  read(stored: KubeObject): KubeObject;
  /** For objects that need a call; throws ApiError. */
  readAll(stored: readonly KubeObject[]): Promise<readonly KubeObject[]>;
  /** The object as it is to be stored; throws ApiError. */
  write(object: KubeObject): Promise<KubeObject>;
  /** As somebody else says it in another version, whatever that knows of; throws ApiError. */
  convert?(object: KubeObject, apiVersion: string): Promise<KubeObject>;
}

export interface ResourceInfo {
  readonly group: string;
  readonly version: string;
  /** Plural, lower case: `pods`. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly SubresourceInfo[];
  /** The version in which objects are stored (one for all versions of group+resource). */
  readonly storageVersion: string;
  readonly schema: Schema;
  /** Beyond metadata.name and metadata.namespace; dotted: `spec.nodeName`. */
  readonly selectableFields: readonly string[];
  readonly printerColumns?: readonly PrinterColumn[] | undefined;
  /** Set for resources made by a CustomResourceDefinition: its name. */
  readonly customResourceDefinition?: string | undefined;
  /** Its definition is being deleted: objects are changed and deleted, and no new ones made. */
  readonly isGoing?: boolean | undefined;
  /** The version's schema as its definition has it: what objects are validated by. */
  readonly customSchema?: unknown;
  /** Where OpenAPI says nothing of the schema: of definitions of before v1, which keep what it does not name. */
  readonly schemaHiddenIn?: 'v2' | 'v2 and v3' | undefined;
  /** Between stored objects and those of this version; absent where they are the same. */
  readonly codec?: ObjectCodec | undefined;
  /** The resource in another of its versions, served or not; absent where it has one. */
  readonly inVersion?: ((version: string) => ResourceInfo | undefined) | undefined;
  /** Said to everybody who uses a deprecated version. */
  readonly deprecation?: string | undefined;
}

/** Every resource that is served now. Built-ins are fixed; CRDs come and go. */
export interface ResourceRegistry {
  all(): readonly ResourceInfo[];
  byResource(group: string, version: string, resource: string): ResourceInfo | undefined;
  byKind(group: string, version: string, kind: string): ResourceInfo | undefined;
  /** Called after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}
