// One path of an OpenAPI document: its operations with their names, parameters, bodies and answers, as the builders of
// kube-openapi put them together for both versions.
import { bodyParameter, inOrder, parameter, type ParameterForm } from './parameters.ts';
import { operationText, parameterText, type Texts } from './texts.ts';

type Json = Record<string, unknown>;

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** In the order of a document. */
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] as const;
export type Method = (typeof methods)[number];

export interface Operation {
  readonly method: Method;
  readonly id: string;
  readonly tag: string;
  /** What it does, and to which kind; undefined: it is about the server. */
  readonly action?: string;
  readonly kind?: Kind;
  /** By which it is described, and what that names. */
  readonly text: string;
  readonly about?: { readonly kind: string; readonly part?: string | undefined };
  readonly consumes?: readonly string[];
  readonly produces: readonly string[];
  /** Keys of the table of parameters. */
  readonly parameters?: readonly string[];
  /** Names of definitions; an answer without one is a text. */
  readonly body?: string | undefined;
  readonly reply?: string | undefined;
  readonly codes?: readonly number[];
}

export interface PathForm {
  readonly isV3: boolean;
  readonly texts: Texts;
  /** A reference to a definition, which is there from then on. */
  readonly refTo: (name: string) => Json;
}

const phrases: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

/** Keeps letters and digits; what follows anything else begins with a capital (endpoints/openapi of v0.37). */
function joined(text: string, isCapital: boolean): string {
  let found = '';
  let capital = isCapital;
  for (const [index, sign] of [...text].entries()) {
    if (!/[\p{L}_]/u.test(sign) && !(index > 0 && /\p{Nd}/u.test(sign))) {
      capital = true;
      continue;
    }
    found += capital && /[\p{L}_]/u.test(sign) ? sign.toUpperCase() : sign;
    capital = false;
  }
  return found;
}

const groupName = (group: string): string =>
  group === '' ? 'core' : group.replace(/\.k8s\.io$/, '');

/** `verb` and `rest`: what stands before and behind group and version. */
export function operationId(
  verb: string,
  { group, version }: { readonly group: string; readonly version?: string },
  rest: string,
): string {
  const place = [groupName(group), ...(version === undefined ? [] : [version])];
  return verb + [...place, rest].map((one) => joined(one, true)).join('');
}

export function tagOf(group: string, version?: string): string {
  const name = joined(groupName(group), false);
  return version === undefined ? name : `${name}_${joined(version, false)}`;
}

export const titled = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function kindOf({ group, version, kind }: Kind, isV3: boolean): Json {
  return isV3 ? { group, version, kind } : { group, kind, version };
}

const DELETE_OPTIONS = '.DeleteOptions';

/** What it may be left out of, is. */
function bodyOf({ body, consumes = [] }: Operation, { isV3, refTo }: PathForm): Json | undefined {
  if (body === undefined) return undefined;
  const isRequired = !body.endsWith(DELETE_OPTIONS);
  const reference = refTo(body);
  if (!isV3) return bodyParameter(String(reference['$ref']), isRequired);
  const types = consumes.toSorted().map((type) => [type, { schema: reference }]);
  return { content: Object.fromEntries(types) as Json, ...(isRequired ? { required: true } : {}) };
}

function answers({ reply, produces, codes = [200] }: Operation, { isV3, refTo }: PathForm): Json {
  const schema = reply === undefined ? { type: 'string' } : refTo(reply);
  const content = Object.fromEntries(produces.toSorted().map((type) => [type, { schema }])) as Json;
  const found = codes.map((code): [string, Json] => {
    const said = { description: phrases[code] };
    return [String(code), isV3 ? { ...said, content } : { ...said, schema }];
  });
  return { ...Object.fromEntries(found), 401: { description: 'Unauthorized' } };
}

function written(one: Operation, own: readonly string[], form: PathForm): Json {
  const { isV3, texts } = form;
  const { id, tag, action, kind, consumes, produces, about } = one;
  const text = operationText(texts, one.text, { method: one.method, ...about });
  const description = text === undefined ? {} : { description: text };
  const tags = { tags: [tag], ...(isV3 ? description : {}), operationId: id };
  const media = isV3
    ? {}
    : {
        ...description,
        ...(consumes === undefined ? {} : { consumes }),
        produces,
        schemes: ['https'],
      };
  const body = bodyOf(one, form);
  const parameters = own.map((key) => parameter(key, parameterForm(form, about?.kind)));
  if (!isV3 && body !== undefined) parameters.unshift(body);
  return {
    ...media,
    ...tags,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(isV3 && body !== undefined ? { requestBody: body } : {}),
    responses: answers(one, form),
    ...(action === undefined ? {} : { 'x-kubernetes-action': action }),
    ...(kind === undefined ? {} : { 'x-kubernetes-group-version-kind': kindOf(kind, isV3) }),
  };
}

function parameterForm({ isV3, texts }: PathForm, kind?: string): ParameterForm {
  return { isV3, describe: (key) => parameterText(texts, key, kind) };
}

/** Parameters that every operation has are the path's. `kind`: what the object of the path is called. */
export function pathItem(operations: readonly Operation[], kind: string, form: PathForm): Json {
  const all = operations.map(({ parameters = [] }) => parameters);
  const common = (all[0] ?? []).filter((key) => all.every((one) => one.includes(key)));
  const item: Json = {};
  for (const method of methods) {
    const one = operations.find((operation) => operation.method === method);
    if (one === undefined) continue;
    const own = (one.parameters ?? []).filter((key) => !common.includes(key));
    item[method] = written(one, inOrder(own), form);
  }
  if (common.length === 0) return item;
  const shared = parameterForm(form, kind);
  return { ...item, parameters: inOrder(common).map((key) => parameter(key, shared)) };
}
