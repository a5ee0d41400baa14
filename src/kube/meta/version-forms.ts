// An object in the other versions of its resource, for whom owns a field in one of them: what has changed for an
// owner is looked at in the version of that owner (structured-merge-diff's Converter, Kubernetes v1.37).
import { cloneJson } from '#base/clone.ts';
import { apiVersionOf, parseApiVersion, type KubeObject } from './object.ts';
import type { ResourceInfo } from './resource-info.ts';
import type { Schema } from './schema.ts';
import { shapeErrors } from './structured.ts';

/** An object cannot be said in another version. */
export class FormError extends Error {
  override readonly name = 'FormError';
}

export interface Form {
  readonly schema: Schema;
  /** Of the object in whatever version it is. Throws FormError. */
  convert(object: unknown): unknown;
}

/** What is not as its schema says, when the object is of a definition: another version may have written it. */
export function checkForm(info: ResourceInfo, object: unknown, schema = info.schema): void {
  if (info.customResourceDefinition === undefined) return;
  // The same element twice is a mistake only of who applies it.
  const wrong = shapeErrors(schema, object).filter(
    (one) => !one.includes(': duplicate entries for '),
  );
  if (wrong.length === 0) return;
  throw new FormError(wrong.length === 1 ? wrong[0] : `errors:\n  ${wrong.join('\n  ')}`);
}

const isWritten = (object: unknown): object is KubeObject =>
  (object as Partial<KubeObject>).apiVersion !== undefined;

/** The versions of one resource, as the owners of an object's fields name them. */
export class VersionForms {
  readonly #info: ResourceInfo;
  readonly #own: string;
  readonly #forms = new Map<string, Form | undefined>();

  constructor(info: ResourceInfo) {
    this.#info = info;
    this.#own = apiVersionOf(info);
  }

  /** Whether it is the version of the request, or is taken for it: one of another group, or behind a webhook. */
  isOwn(apiVersion: string): boolean {
    const { group, inVersion, customResourceDefinition } = this.#info;
    if (apiVersion === this.#own || parseApiVersion(apiVersion).group !== group) return true;
    return customResourceDefinition !== undefined && inVersion === undefined;
  }

  /** undefined for a version that there is none of any more. Throws FormError. */
  of(apiVersion: string): Form | undefined {
    const info = this.#info;
    if (this.isOwn(apiVersion))
      return { schema: info.schema, convert: (object) => this.#back(object) };
    if (this.#forms.has(apiVersion)) return this.#forms.get(apiVersion);
    const other = info.inVersion?.(parseApiVersion(apiVersion).version);
    if (other === undefined && info.customResourceDefinition !== undefined)
      throw new FormError(`request to convert CR to an invalid group/version: ${apiVersion}`);
    const form = other && {
      schema: other.schema,
      convert: (object: unknown) => this.#convert(object, other),
    };
    this.#forms.set(apiVersion, form);
    return form;
  }

  #back(object: unknown): unknown {
    if (!isWritten(object) || object.apiVersion === this.#own) return object;
    return this.#convert(object, this.#info);
  }

  #convert(object: unknown, to: ResourceInfo): unknown {
    const target = apiVersionOf(to);
    if (!isWritten(object) || object.apiVersion === target) return object;
    if (to.customResourceDefinition !== undefined) {
      const named = { ...object, apiVersion: target };
      checkForm(to, named);
      return named;
    }
    return to.codec?.read(cloneJson(object)) ?? object;
  }
}
