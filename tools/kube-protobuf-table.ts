// The protobuf side of the Kubernetes type table, for generate-kube-types.ts: tags and types out of the
// generated.proto files, JSON names, pointers and embedded structs out of the Go sources beside them.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const wireCodes: Readonly<Record<string, string>> = {
  string: 's',
  bytes: 'b',
  bool: 'B',
  int32: 'i',
  int64: 'l',
  uint32: 'u',
  uint64: 'L',
  double: 'd',
};

/** `.k8s.io.api.core.v1.Pod` and `io.k8s.api.core.v1.Pod` are both `api_core_v1_Pod` here. */
export function flat(name: string): string {
  return name.replace(/^\.?(k8s\.io|io\.k8s)\./, '').replaceAll(/[.-]/g, '_');
}

function filesNamed(folder: string, wanted: RegExp): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => wanted.test(name)).map((name) => join(folder, name));
}

interface GoField {
  readonly json: string;
  readonly isPointer: boolean;
  readonly isInline: boolean;
}

/** `Message.tag` of every struct of one Go package whose fields have protobuf tags. */
function goFields(folder: string): Map<string, GoField> {
  const found = new Map<string, GoField>();
  const sources = readdirSync(folder).filter(
    (name) => name.endsWith('.go') && !/_test\.go$|^generated|^zz_/.test(name),
  );
  for (const source of sources) {
    const text = readFileSync(join(folder, source), 'utf8');
    for (const [, name = '', body = ''] of text.matchAll(
      /^type (\w+) struct \{\n([\s\S]*?)^\}/gm,
    )) {
      for (const [, type = '', tags = ''] of body.matchAll(/^\t(?:\w+\s+)?(\S+)\s+`([^`]*)`/gm)) {
        const tag = /protobuf:"\w+,(\d+),/.exec(tags)?.[1];
        const [json = ''] = (/json:"([^"]*)"/.exec(tags)?.[1] ?? '').split(',');
        if (tag === undefined) continue;
        const isInline = json === '';
        found.set(`${name}.${tag}`, { json, isPointer: type.startsWith('*'), isInline });
      }
    }
  }
  return found;
}

/**
 * A line for each message: its fields as `NAME LABEL TAG:TYPE`, in the order of their tags. NAME is that
 * in JSON. LABEL: ' ' always on the wire, '?' a pointer in Go (absent when nil), '+' repeated, '%' a map
 * from strings, '~' an embedded struct, whose fields are its parent's in JSON, '^' such a one that is a pointer.
 */
export function readProtobuf(folders: readonly string[]): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const path of folders.flatMap((folder) => filesNamed(folder, /(^|\/)generated\.proto$/))) {
    const text = readFileSync(path, 'utf8');
    const pkg = /^package ([\w.]+);/m.exec(text)?.[1] ?? '';
    const fields = goFields(join(path, '..'));
    for (const [, name = '', body = ''] of text.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm)) {
      const type = (word: string): string =>
        wireCodes[word] ?? flat(word.startsWith('.') ? word : `${pkg}.${word}`);
      const made: { tag: number; text: string }[] = [];
      for (const line of body.split('\n')) {
        const match =
          /^\s*(optional|repeated|map<string,) ([\w.]+)>? (\w+) = (\d+)/.exec(line) ?? undefined;
        if (match === undefined) continue;
        const [, rule, word = '', proto = '', tag = ''] = match;
        const field = fields.get(`${name}.${tag}`);
        const single = field?.isInline
          ? field.isPointer
            ? '^'
            : '~'
          : field?.isPointer
            ? '?'
            : ' ';
        const label = rule === 'repeated' ? '+' : rule === 'optional' ? single : '%';
        const json = field === undefined || field.json === '' ? proto : field.json;
        made.push({ tag: Number(tag), text: `${json}${label}${tag}:${type(word)}` });
      }
      lines[flat(`${pkg}.${name}`)] = made
        .toSorted((a, b) => a.tag - b.tag)
        .map((one) => one.text)
        .join(',');
    }
  }
  return lines;
}

export function reachableMessages(
  lines: Readonly<Record<string, string>>,
  roots: Iterable<string>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  const keep = (name: string): void => {
    const line = lines[name];
    if (line === undefined || kept[name] !== undefined) return;
    kept[name] = line;
    for (const [, type = ''] of line.matchAll(/:(\w+)/g)) keep(type);
  };
  for (const root of roots) keep(root);
  return kept;
}
