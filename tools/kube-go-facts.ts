// What the OpenAPI documents do not tell of the fields of the Kubernetes types, for
// generate-kube-types.ts: which are pointers, and which are written even when they are zero.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { flat } from './kube-protobuf-table.ts';

export interface GoFacts {
  /** Fields that are pointers: their zero is a value, where that of others means absent. */
  readonly pointers: readonly string[];
  /** Fields that are written even when they are zero (no `omitempty`). */
  readonly written: readonly string[];
  /** Fields of embedded structs, by the embedded types on the way: errors name those. */
  readonly embedded: Readonly<Record<string, string>>;
  /** Go's names of scalars that have one of their own, or of what lists of fields are made of. */
  readonly names: Readonly<Record<string, string>>;
}

/** Fields and embedded types of a struct. */
interface Struct {
  readonly own: readonly string[];
  readonly embeds: readonly string[];
}

/** What the OpenAPI documents do not tell of the fields of a type. */
export function readGoFacts(folders: readonly string[]): Record<string, GoFacts> {
  const found: Record<string, GoFacts> = {};
  const structs = new Map<string, Struct>();
  for (const folder of folders) {
    for (const path of sourcesOf(folder)) {
      const text = readFileSync(path, 'utf8');
      const module = folder.split('/').at(-1)?.split('@')[0] ?? '';
      const inside = path
        .slice(folder.length + 1)
        .split('/')
        .slice(0, -1)
        .join('.');
      for (const [, name = '', body = ''] of text.matchAll(
        /^type (\w+) struct \{\n([\s\S]*?)^\}/gm,
      )) {
        const pointers: string[] = [];
        const written: string[] = [];
        const own: string[] = [];
        const names: Record<string, string> = {};
        const version = inside.split('.').at(-1) ?? '';
        for (const [, type = '', field = '', options = ''] of body.matchAll(
          /^\t\w+\s+(\S+)\s+`[^`]*json:"(\w+)([^"]*)"/gm,
        )) {
          if (/^\*(?:string|bool|int32|int64|(?:\w+\.)?[A-Z]\w+)$/.test(type)) pointers.push(field);
          // A time is a struct: `omitempty` leaves it in, as null.
          const isTime = /^(?:metav1\.)?(?:Micro)?Time$/.test(type);
          const omits = isTime ? /omitzero|inline/ : /omitempty|omitzero|inline/;
          if (!omits.test(options)) written.push(field);
          own.push(field);
          const plain = type.replace(/^\*?(?:\[\]|map\[[\w.]+\])?\*?/, '');
          if (/^(?:types\.UID|(?:\w+\.)?[A-Z]\w+)$/.test(plain)) {
            names[field] = plain.includes('.')
              ? plain.replace(/^(?:meta|core|api)v1\./, 'v1.')
              : `${version}.${plain}`;
          }
        }
        const embeds = [...body.matchAll(/^\t([A-Z]\w+)\s+`json:"(?:,inline[^"]*)?"/gm)].map(
          ([, one = '']) => one,
        );
        const full = (one: string): string => flat(`io.k8s.${module}.${inside}.${one}`);
        structs.set(full(name), { own, embeds: embeds.map((one) => `${one} ${full(one)}`) });
        found[full(name)] = { pointers, written, names, embedded: {} };
      }
    }
  }
  for (const [name, facts] of Object.entries(found)) {
    const embedded = Object.fromEntries(embeddedFields(structs, name, ''));
    const inside = embeddedIn(structs, name).map((one) => found[one] ?? facts);
    found[name] = {
      pointers: [...facts.pointers, ...inside.flatMap(({ pointers }) => pointers)],
      written: [...facts.written, ...inside.flatMap(({ written }) => written)],
      names: Object.assign(
        {},
        ...inside.map(({ names }) => names),
        facts.names,
      ) as GoFacts['names'],
      embedded,
    };
  }
  return found;
}

/** Directly and in what is embedded. */
function embeddedIn(structs: ReadonlyMap<string, Struct>, name: string): string[] {
  return (structs.get(name)?.embeds ?? []).flatMap((one) => {
    const [, full = ''] = one.split(' ');
    return [full, ...embeddedIn(structs, full)];
  });
}

function* embeddedFields(
  structs: ReadonlyMap<string, Struct>,
  name: string,
  way: string,
): Generator<[field: string, way: string]> {
  const { own = [], embeds = [] } = structs.get(name) ?? {};
  if (way !== '') for (const field of own) yield [field, way];
  for (const one of embeds) {
    const [short = '', full = ''] = one.split(' ');
    yield* embeddedFields(structs, full, way === '' ? short : `${way}.${short}`);
  }
}

function sourcesOf(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /(^|\/)(?:types[\w]*|group_version)\.go$/.test(name))
    .map((name) => join(folder, name));
}
