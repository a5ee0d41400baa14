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

/** An object has to be converted by somebody else, who has not been asked yet. */
export class Unconverted extends Error {
  readonly object: KubeObject;
  readonly apiVersion: string;

  constructor(object: KubeObject, apiVersion: string) {
    super(`Cannot compare owners: nobody has converted the object to ${apiVersion}`);
    this.object = object;
    this.apiVersion = apiVersion;
  }
}

/** What somebody else made of objects in other versions; whoever compares begins anew once more is known. */
export class Conversions {
  readonly #known = new Map<string, KubeObject | FormError>();

  add({ object, apiVersion }: Unconverted, converted: KubeObject | FormError): void {
    this.#known.set(keyOf(object, apiVersion), converted);
  }

  /** Throws Unconverted, and FormError where it could not be converted. */
  find(object: KubeObject, apiVersion: string): KubeObject {
    const found = this.#known.get(keyOf(object, apiVersion));
    if (found === undefined) throw new Unconverted(object, apiVersion);
    if (found instanceof FormError) throw found;
    return found;
  }
}

const keyOf = (object: KubeObject, apiVersion: string): string =>
  `${apiVersion} ${JSON.stringify(object)}`;

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
  readonly #conversions: Conversions | undefined;
  readonly #forms = new Map<string, Form | undefined>();

  /** `conversions`: where somebody else converts; without them that is taken for the version of the request. */
  constructor(info: ResourceInfo, conversions: Conversions | undefined) {
    this.#info = info;
    this.#own = apiVersionOf(info);
    this.#conversions = conversions;
  }

  /** Whether it is the version of the request, or is taken for it: one of another group. */
  isOwn(apiVersion: string): boolean {
    const { group, inVersion, customResourceDefinition, codec } = this.#info;
    if (apiVersion === this.#own || parseApiVersion(apiVersion).group !== group) return true;
    if (customResourceDefinition === undefined) return false;
    const isUnknown = codec?.mayCall === true && this.#conversions === undefined;
    return isUnknown || inVersion === undefined;
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
    if (to.codec?.mayCall === true && this.#conversions !== undefined) {
      // By way of the version of the request, as upstream.
      const isOwn = object.apiVersion === this.#own || target === this.#own;
      const there = isOwn ? object : this.#conversions.find(object, this.#own);
      const converted = this.#conversions.find(there, target);
      checkForm(to, converted);
      return converted;
    }
    if (to.customResourceDefinition !== undefined) {
      const named = { ...object, apiVersion: target };
      checkForm(to, named);
      return named;
    }
    return to.codec?.read(cloneJson(object)) ?? object;
  }
}
