// Bodies that are nothing that can be read, and what kube-apiserver v1.37 says of them: it depends on what
// the body was to be (an object, a patch), so that whoever knows that words it.
import type { YAMLParseError } from 'yaml';
import { Fault } from '#base/fault.ts';
import { goQuoted } from '#kube/meta/names.ts';
import { goJsonFault } from '#kube/meta/go-json-error.ts';
import { ApiError, badRequest } from '#kube/meta/status.ts';

export type BodyFormat = 'json' | 'yaml' | 'protobuf';

export class MalformedBody extends ApiError {
  readonly format: BodyFormat;
  readonly bytes: Buffer;
  /** In the words of Go's decoder of the format. */
  readonly why: string;

  constructor(format: BodyFormat, bytes: Buffer, why: string) {
    super(400, 'BadRequest', why);
    this.format = format;
    this.bytes = bytes;
    this.why = why;
  }

  /** The object within, where that is at fault: its own kind, or one that nobody knows. */
  inside: 'its own' | { readonly version: string; readonly kind: string } | undefined;

  ofKind(inside: MalformedBody['inside']): this {
    this.inside = inside;
    return this;
  }
}

export function malformedJson(text: string): MalformedBody {
  const why = goJsonFault(text) ?? 'unexpected end of JSON input';
  return new MalformedBody('json', Buffer.from(text), why);
}

/** What is wrong with the envelope is told of the bytes, what is within it of the object. */
export function malformedProtobuf(bytes: Buffer, error: Error): MalformedBody {
  const { message = '', why: found = error.message } = (
    error instanceof Fault ? error.detail : {}
  ) as { message?: string; why?: string };
  const why = /truncated/.test(found) ? 'unexpected EOF' : found;
  const body = new MalformedBody('protobuf', bytes, why);
  const space = message.indexOf(' ');
  const [version, kind] = [message.slice(0, space), message.slice(space + 1)];
  if (space >= 0) return body.ofKind({ version, kind });
  return message === 'Unknown' || message === '' ? body : body.ofKind('its own');
}

/** Faults of the parser by what they begin with, and libyaml's words for the same. */
const yamlWords: readonly (readonly [RegExp, string])[] = [
  [/^Flow sequence/, "did not find expected ',' or ']'"],
  [/^Flow map/, "did not find expected ',' or '}'"],
  [/^(?:Nested mappings|Implicit keys need)/, 'mapping values are not allowed in this context'],
  [
    /^Tabs are not allowed|^Plain value cannot start/,
    'found character that cannot start any token',
  ],
  [/^Missing closing/, 'found unexpected end of stream'],
  [/^(?:All mapping items|Implicit map keys)/, "could not find expected ':'"],
  [/^Unresolved alias/, 'unknown anchor referenced'],
];

export function malformedYaml(text: string, error: Error): MalformedBody {
  const words = yamlWords.find(([sign]) => sign.test(error.message))?.[1] ?? error.message;
  const { line = 1 } = (error as YAMLParseError).linePos?.[0] ?? {};
  return new MalformedBody('yaml', Buffer.from(text), `yaml: line ${line}: ${words}`);
}

const SHOWN_MAX = 30;

/** Text when it looks like an object, else in hexadecimal. */
export function summary(bytes: Buffer): string {
  if (bytes.length === 0) return '<empty>';
  const shown = bytes.subarray(0, SHOWN_MAX);
  const text = shown[0] === 0x7b ? shown.toString() : shown.toString('hex');
  return bytes.length > SHOWN_MAX ? `${text} ...` : text;
}

/** For what was to be an object of the kind. */
export function unrecognized(kind: string, fault: Omit<MalformedBody, 'toStatus'>): ApiError {
  const { inside } = fault;
  if (inside === 'its own') {
    return badRequest(`${kind} in version "v1" cannot be handled as a ${kind}: ${fault.why}`);
  }
  if (inside !== undefined) {
    const found = inside.kind || kind;
    const own = `${found} in version ${goQuoted(inside.version)} cannot be handled as a ${kind}`;
    const type = `no kind ${goQuoted(found)} is registered for version ${goQuoted(inside.version)}`;
    return badRequest(`${own}: ${type} in scheme "pkg/runtime/scheme.go:111"`);
  }
  const head = `the object provided is unrecognized (must be of type ${kind}): `;
  const what = fault.format === 'json' ? "couldn't get version/kind; json parse error: " : '';
  return badRequest(`${head}${what}${fault.why} (${summary(fault.bytes)})`);
}

/** For what was to be options, whatever they were sent to. */
export function unrecognizedOptions({ format, inside, why }: MalformedBody): ApiError {
  if (inside !== undefined && inside !== 'its own') {
    const type = `no kind ${goQuoted(inside.kind)} is registered for version ${goQuoted(inside.version)}`;
    return badRequest(`${type} in scheme "pkg/runtime/scheme.go:111"`);
  }
  const what = format === 'json' ? "couldn't get version/kind; json parse error: " : '';
  return badRequest(`${what}${why}`);
}

const goStruct =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

/** JSON that is no object, though one was to come. */
export function noObject(kind: string, value: unknown): ApiError {
  const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const why = `json: cannot unmarshal ${type} into Go value of type ${goStruct}`;
  const bytes = Buffer.from(JSON.stringify(value) ?? '');
  return unrecognized(kind, new MalformedBody('json', bytes, why));
}

/** For what was to be a patch. */
export function malformedPatch(fault: MalformedBody): ApiError {
  const isYaml = fault.format === 'yaml';
  return badRequest(isYaml ? `error encoding patch: ${fault.why}` : 'invalid JSON patch');
}
