// YAML bodies: of keys that stand twice the last one counts, and strict clients are told where.
import { isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';

export interface YamlBody {
  readonly value: unknown;
  /** In the words of upstream's decoder; undefined when no key stands twice. */
  readonly problem: string | undefined;
}

/** Throws what the parser throws. */
export function parseYamlBody(text: string): YamlBody {
  const lines = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  const found: string[] = [];
  visit(document, {
    Map(_key, map) {
      if (!isMap(map)) return;
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const { line } = lines.linePos(key.range?.[0] ?? 0);
        if (seen.has(name)) found.push(`  line ${line}: key "${name}" already set in map`);
        seen.add(name);
      }
    },
  });
  const value: unknown = document.toJS();
  if (found.length === 0) return { value, problem: undefined };
  return { value, problem: `yaml: unmarshal errors:\n${found.join('\n')}` };
}
