// Compares a real kube-apiserver with this one on the definitions of a project and the examples that come with them:
//   node tools/compare-definitions.ts BINDIR FILE-OR-FOLDER…
// BINDIR has etcd and kube-apiserver. Every YAML file of the places is read; what is no template and has definitions
// of custom resources, or objects of kinds that are defined, is put before both servers. Prints a line a place for
// docs/operating/conformance.md, and what differs.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import {
  DefinitionComparer,
  type Difference,
  type Manifest,
} from '#test/support/definition-comparer.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const [bin, ...places] = process.argv.slice(2);
if (bin === undefined || places.length === 0) {
  throw new Error('Name the folder of etcd and kube-apiserver, and where definitions are');
}

const SHOWN_MAX = 20;
const TEXT_MAX = 300;

function filesIn(place: string): string[] {
  if (!statSync(place).isDirectory()) return [place];
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => join(place, name));
}

const isManifest = (value: unknown): value is Manifest =>
  typeof value === 'object' && value !== null && 'apiVersion' in value && 'kind' in value;

function manifestsOf(file: string): Manifest[] {
  const text = readFileSync(file, 'utf8');
  if (text.includes('{{') || !text.includes('apiVersion')) return [];
  const documents = parseAllDocuments(text, { logLevel: 'silent', version: '1.1' });
  return [...documents].flatMap((one) => {
    if (one.errors.length > 0) return [];
    const value: unknown = JSON.parse(JSON.stringify(one.toJS({ maxAliasCount: 1_000 })) ?? 'null');
    return isManifest(value) ? [value] : [];
  });
}

interface Spec {
  readonly group?: string;
  readonly versions?: readonly { readonly name: string; readonly served: boolean }[] | null;
}

const short = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, TEXT_MAX);

const real = await startRealServer(bin, {});
const own = await startOwnServer();
const comparer = new DefinitionComparer(real.target, own.target);
const known = new Set<string>();

async function compare(place: string): Promise<void> {
  const manifests = filesIn(place).flatMap(manifestsOf);
  const differing: Difference[] = [];
  const versions = new Set<string>();
  const counts = { definitions: 0, objects: 0 };
  for (const one of manifests) {
    const { name = '' } = one.metadata ?? {};
    if (one.kind !== 'CustomResourceDefinition' || known.has(name)) continue;
    if (one.apiVersion !== 'apiextensions.k8s.io/v1') continue;
    known.add(name);
    counts.definitions += 1;
    const { group = '', versions: all } = (one['spec'] ?? {}) as Spec;
    // One that is no whole definition is refused by both.
    if (group === '') {
      differing.push(...(await comparer.definition(one)));
      continue;
    }
    for (const { name: version, served } of all ?? [])
      if (served) versions.add(`${group}/${version}`);
    differing.push(...(await comparer.definition(one)));
  }
  for (const one of versions) {
    const [group = '', version = ''] = one.split('/');
    differing.push(...(await comparer.shown(group, version)));
  }
  const groups = new Set([...versions].map((one) => one.split('/')[0] ?? ''));
  if (groups.size > 0) differing.push(...(await comparer.published(groups)));
  for (const one of manifests) {
    if (typeof one.metadata !== 'object' || one.metadata === null) continue;
    const found = await comparer.object(one);
    if (found === undefined) continue;
    counts.objects += 1;
    differing.push(...found);
  }
  const cells = [
    basename(place),
    counts.definitions,
    versions.size,
    counts.objects,
    differing.length,
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
  for (const { at, real: theirs, own: ours } of differing.slice(0, SHOWN_MAX)) {
    process.stdout.write(`  ${at}\n    real ${short(theirs)}\n    own  ${short(ours)}\n`);
  }
  if (differing.length > 0) process.exitCode = 1;
}

try {
  for (const place of places) await compare(place);
} finally {
  await own.close();
  await real.close();
}
