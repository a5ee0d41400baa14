// Syntax of names, labels and annotations, with the words of apimachinery's validation.
import { strictAddressProblem } from './ip-ranges.ts';
import type { StatusCause } from './status.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const DNS1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/** Of a name whose letters may be capitals. */
export const caselessName =
  "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'Example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const qualifiedText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

export type NameRule =
  | 'subdomain'
  | 'label'
  | 'label-without-dots'
  | 'label1035'
  | 'label-value'
  | 'path-segment'
  | 'address';

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** One character as Go's %q writes it. */
function goEscaped(one: string): string {
  const known = escapes[one];
  if (known !== undefined) return known;
  if (one === ' ' || !/[\p{C}\p{Z}]/u.test(one)) return one;
  const code = one.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 128) return `\\x${hex.padStart(2, '0')}`;
  return code < 65_536 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** As Go's %q writes a text. */
export function goQuoted(text: string): string {
  const isPlain = /^[\x20-\x7e]*$/.test(text);
  return isPlain ? JSON.stringify(text) : `"${[...text].map(goEscaped).join('')}"`;
}

const valueShown = (value: unknown): string =>
  typeof value === 'string' ? goQuoted(value) : JSON.stringify(value);

export function invalidValue(field: string, value: unknown, why: string): StatusCause {
  const message = `Invalid value: ${valueShown(value)}: ${why}`;
  return { reason: 'FieldValueInvalid', message, field };
}

/** `shown`: the value as it is to be printed. */
export function invalidShown(field: string, shown: string, why: string): StatusCause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${shown}: ${why}`, field };
}

export function requiredValue(field: string, why = ''): StatusCause {
  const message = why === '' ? 'Required value' : `Required value: ${why}`;
  return { reason: 'FieldValueRequired', message, field };
}

export function forbidden(field: string, why: string): StatusCause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field };
}

export function unsupported(
  field: string,
  value: unknown,
  supported: readonly string[],
): StatusCause {
  const names = supported.map((one) => JSON.stringify(one)).join(', ');
  const message = `Unsupported value: ${valueShown(value)}: supported values: ${names}`;
  return { reason: 'FieldValueNotSupported', message, field };
}

export function duplicate(field: string, value: unknown): StatusCause {
  return {
    reason: 'FieldValueDuplicate',
    message: `Duplicate value: ${valueShown(value)}`,
    field,
  };
}

export function tooLong(field: string, max: number, unit = 'bytes'): StatusCause {
  const message = `Too long: may not be more than ${max} ${unit}`;
  return { reason: 'FieldValueTooLong', message, field };
}

export function tooMany(field: string, count: number, max: number): StatusCause {
  const message = `Too many: ${count}: must have at most ${max} items`;
  return { reason: 'FieldValueTooMany', message, field };
}

/** Why the name is no name, or undefined. */
export function nameProblem(rule: NameRule, name: string): string | undefined {
  switch (rule) {
    case 'label-without-dots':
      if (name.includes('.')) return 'must not contain dots';
      return nameProblem('label', name);
    case 'label':
      if (name.length > 63) return 'must be no more than 63 characters';
      return LABEL.test(name) ? undefined : labelText;
    case 'label1035':
      if (name.length > 63) return 'must be no more than 63 characters';
      return DNS1035.test(name) ? undefined : label1035Text;
    case 'path-segment':
      if (name === '.' || name === '..') return `may not be '${name}'`;
      if (name.includes('/')) return "may not contain '/'";
      return name.includes('%') ? "may not contain '%'" : undefined;
    case 'label-value':
      if (name.length > 63) return 'must be no more than 63 characters';
      return VALUE.test(name) ? undefined : valueText;
    case 'address':
      return strictAddressProblem(name);
    case 'subdomain':
      if (name.length > 253) return 'must be no more than 253 characters';
      return SUBDOMAIN.test(name) ? undefined : subdomainText;
  }
}

/** All that is wrong with a qualified name; `what` it is called depends on the field. */
export function qualifiedNameProblems(name: string): string[] {
  const parts = name.split('/');
  if (parts.length > 2) {
    const rule = qualifiedText.replace('name part must', 'a valid label key must');
    return [`${rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const [first = '', second] = parts;
  const own = second ?? first;
  const problems: string[] = [];
  if (second !== undefined) {
    const wrong = nameProblem('subdomain', first);
    if (first === '') problems.push('prefix part must be non-empty');
    else if (wrong !== undefined) problems.push(`prefix part ${wrong}`);
  }
  if (own === '') problems.push('name part must be non-empty');
  else if (own.length > 63) problems.push('name part must be no more than 63 bytes');
  if (!QUALIFIED.test(own)) problems.push(qualifiedText);
  return problems;
}

export function qualifiedNameProblem(name: string): string | undefined {
  return qualifiedNameProblems(name)[0];
}

/** Why the text is no value of a label, or undefined. */
export function labelValueProblem(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 bytes';
  return VALUE.test(value) ? undefined : valueText;
}

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  field: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const wrong of qualifiedNameProblems(key)) causes.push(invalidValue(field, key, wrong));
    const wrong = labelValueProblem(value);
    if (wrong !== undefined) causes.push(invalidValue(field, value, wrong));
  }
  return causes;
}

const ANNOTATIONS_BYTES_MAX = 256 * 1024;

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
    for (const wrong of qualifiedNameProblems(key.toLowerCase())) {
      causes.push(invalidValue(field, key, wrong));
    }
  }
  if (size > ANNOTATIONS_BYTES_MAX) {
    const message = `Too long: may not be more than ${ANNOTATIONS_BYTES_MAX} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field });
  }
  return causes;
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const GENERATED_LENGTH = 5;

/** `base` plus five characters, cut so that the whole is a name (upstream's SimpleNameGenerator). */
export function generateName(base: string, random: () => number): string {
  let suffix = '';
  for (let i = 0; i < GENERATED_LENGTH; i++)
    suffix += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return base.slice(0, 63 - GENERATED_LENGTH) + suffix;
}
