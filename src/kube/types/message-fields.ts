// The lines of the Kubernetes protobuf table (tools/kube-protobuf-table.ts) as fields, for whatever is made of them.

export interface MessageField {
  readonly name: string;
  /** See tools/kube-protobuf-table.ts. */
  readonly label: string;
  readonly tag: number;
  readonly type: string;
}

const FIELD = /^([\w$-]+)([ ?+%~^])(\d+):(\w+)$/;

export const scalars: ReadonlySet<string> = new Set(['s', 'b', 'B', 'i', 'l', 'u', 'L', 'd']);

export function fieldsOf(line: string): MessageField[] {
  if (line === '') return [];
  return line.split(',').map((text) => {
    const match = FIELD.exec(text);
    if (match === null) throw new Error(`Bad descriptor: ${text}`);
    const [, name = '', label = ' ', tag = '0', type = ''] = match;
    return { name, label, tag: Number(tag), type };
  });
}

export function wireType(type: string): number {
  if (type === 'd') return 1;
  return 'BiluL'.includes(type) && scalars.has(type) ? 0 : 2;
}

export function keyOf(field: MessageField): number {
  return (field.tag << 3) | (field.label === '%' ? 2 : wireType(field.type));
}
