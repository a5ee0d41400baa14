// Resources and attributes as operators write them: `cpus:4;mem:4096;ports:[31000-32000]`, or JSON.
import { Fault } from '#base/fault.ts';
import type { Attribute, Resource } from '#wire/mesos/v1.ts';

function bad(what: string, text: string, why: string): Fault {
  return new Fault({ code: 'bad-resources', text }, `Cannot parse ${what} "${text}": ${why}`);
}

function parseRanges(text: string): { begin: number; end: number }[] {
  return text.split(',').map((part) => {
    const match = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(part);
    const begin = Number(match?.[1]);
    const end = Number(match?.[2]);
    if (match === null || begin > end) throw bad('range', part, 'expected BEGIN-END');
    return { begin, end };
  });
}

function parseOne(text: string): Resource {
  const match = /^\s*([^:()\s]+)(?:\(([^)]+)\))?\s*:\s*(.+?)\s*$/.exec(text);
  if (match === null) throw bad('resource', text, 'expected NAME:VALUE');
  const [, name = '', role, value = ''] = match;
  const common = { name, ...(role === undefined ? {} : { role }) };
  const list = /^([[{])(.*)([\]}])$/.exec(value);
  if (list?.[1] === '[') {
    return { ...common, type: 'RANGES', ranges: { range: parseRanges(list[2] ?? '') } };
  }
  if (list?.[1] === '{') {
    const item = (list[2] ?? '').split(',').map((one) => one.trim());
    return { ...common, type: 'SET', set: { item } };
  }
  const number = Number(value);
  if (!Number.isFinite(number) || number < 0) throw bad('resource', text, 'expected a number');
  return { ...common, type: 'SCALAR', scalar: { value: number } };
}

/** Fault `bad-resources` naming the part that is wrong. */
export function parseResources(text: string): Resource[] {
  const trimmed = text.trim();
  if (trimmed.startsWith('[')) {
    try {
      return JSON.parse(trimmed) as Resource[];
    } catch (error) {
      throw bad('resources', text, (error as Error).message);
    }
  }
  return trimmed
    .split(';')
    .filter((part) => part.trim() !== '')
    .map(parseOne);
}

/** `rack:a;cores:8`: numbers become scalars, `[…]` ranges, everything else text. */
export function parseAttributes(text: string): Attribute[] {
  return text
    .split(';')
    .filter((part) => part.trim() !== '')
    .map((part): Attribute => {
      const colon = part.indexOf(':');
      if (colon <= 0) throw bad('attribute', part, 'expected NAME:VALUE');
      const name = part.slice(0, colon).trim();
      const value = part.slice(colon + 1).trim();
      if (/^\d+(\.\d+)?$/.test(value)) {
        return { name, type: 'SCALAR', scalar: { value: Number(value) } };
      }
      const list = /^\[(.*)\]$/.exec(value);
      if (list !== null) {
        return { name, type: 'RANGES', ranges: { range: parseRanges(list[1] ?? '') } };
      }
      return { name, type: 'TEXT', text: { value } };
    });
}
