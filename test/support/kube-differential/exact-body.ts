// Bodies of answers with every number as it is written, for suites that are about numbers.
import { parse as parseYaml } from 'yaml';
import { decodeEnvelope, decodeMessage, messageOf } from '#kube/types/protobuf.ts';
import { eachField } from '#kube/types/protobuf-parts.ts';

/** What is not as JavaScript writes it. */
function asWritten(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const { source } = context ?? {};
  if (typeof value !== 'number' || source === undefined || source === String(value)) return value;
  return `number ${source}`;
}

const read = (text: string): unknown => JSON.parse(text, asWritten) as unknown;

/** What stands before an object in protobuf. */
const MAGIC_BYTES = 4;

/** The items of a list are told by the list's kind. */
function listed(bytes: Buffer): unknown {
  const texts = new Map<number, string>();
  const items: Buffer[] = [];
  eachField(bytes.subarray(MAGIC_BYTES), (tag, value) => {
    if (typeof value === 'number') return;
    if (tag === 1) eachField(value, (inner, text) => texts.set(inner, String(text)));
    if (tag !== 2) return;
    eachField(value, (inner, item) => {
      if (inner === 2 && typeof item !== 'number') items.push(item);
    });
  });
  const [apiVersion = '', kind = ''] = [texts.get(1), texts.get(2)];
  const message = messageOf(apiVersion, kind.replace(/List$/, ''));
  if (!kind.endsWith('List') || message === undefined) return decodeEnvelope(bytes);
  return { apiVersion, kind, metadata: {}, items: items.map((one) => decodeMessage(message, one)) };
}

/** undefined: in none of the forms of objects. */
export function exactBodyOf(type: string, bytes: Buffer): unknown {
  const text = bytes.toString();
  if (type.startsWith('application/json')) {
    // Events of a watch are a line each.
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.length === 1 || text.startsWith('{\n') ? read(text) : lines.map(read);
  }
  if (type.startsWith('application/yaml'))
    return read(JSON.stringify(parseYaml(text, { intAsBigInt: true })));
  if (type.startsWith('application/vnd.kubernetes.protobuf'))
    return read(JSON.stringify(listed(bytes)));
  return undefined;
}
