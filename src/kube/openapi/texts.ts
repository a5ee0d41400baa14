// What OpenAPI says of operations and parameters in words: a build step reads the words out of an installed client
// package (tools/explain-descriptions.ts), as it reads those of types; without it nothing is said.

/** Descriptions by type name and field; empty unless a build step has put them there. */
export type Descriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Kept among the descriptions, under names that no type has. */
export const OPERATIONS = '#operations';
export const PARAMETERS = '#parameters';

export interface Texts {
  readonly operations: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
}

export function textsOf(descriptions: Descriptions): Texts {
  return {
    operations: descriptions[OPERATIONS] ?? {},
    parameters: descriptions[PARAMETERS] ?? {},
  };
}

export interface About {
  readonly method: string;
  readonly kind?: string;
  /** Of a resource: `status`, `log` … */
  readonly part?: string | undefined;
}

/** What ends like a plural has none. */
function withArticle(noun: string): string {
  if (/(?<!s)s$/.test(noun)) return noun;
  return `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}

/** `key`: `create`, `read part`, `connect` …; its text names what it is about in braces. */
export function operationText(texts: Texts, key: string, about: About): string | undefined {
  const { method, kind = '', part = '' } = about;
  return texts.operations[key]
    ?.replaceAll('{a kind}', withArticle(kind))
    .replaceAll('{kind}', kind)
    .replaceAll('{part}', part)
    .replaceAll('{method}', method.toUpperCase());
}

/** `kind`: of the object that the parameter names. */
export function parameterText(texts: Texts, key: string, kind = ''): string | undefined {
  return texts.parameters[key]?.replaceAll('{kind}', kind);
}
