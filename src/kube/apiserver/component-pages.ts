// /statusz and /flagz: what runs here, and with which flags, as text for people or as an object of config.k8s.io
// (statusz and flagz of k8s.io/apiserver v0.37; on by default since 1.36).
import type { Random } from '#env/env.ts';
import { encodedAs, sendBytes, sendText, type Exchange } from './bodies.ts';
import {
  mediaTypes,
  negotiate,
  negotiateDocument,
  notAccepted,
  type DocumentForms,
  type Media,
} from './negotiation.ts';

/** What upstream calls this component. */
const COMPONENT = 'apiserver';
const GROUP = 'config.k8s.io';
const TEXT = 'text/plain';
/** One is drawn for each page, so that nobody reads the text by program. */
const delimiters = [':', ': ', '=', ' '];
const WARNING =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is ' +
  'for debugging purposes only.';
/** Not for those who look for what is wrong. */
const plainFolders = new Set(['/apis', '/api', '/openid', '/openapi', '/.well-known']);

export type ComponentPage = 'statusz' | 'flagz';

export interface ComponentFacts {
  readonly startedMs: number;
  readonly goVersion: string;
  readonly binaryVersion: string;
  readonly emulationVersion: string;
  /** Name, without dashes, and value; what is secret is not among them. */
  readonly flags: Readonly<Record<string, string>>;
}

export interface ComponentState {
  readonly nowMs: number;
  /** Of all that is served. */
  readonly paths: readonly string[];
  readonly random: Pick<Random, 'next'>;
}

const two = (value: number): string => String(value).padStart(2, '0');

function uptime(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return `${hours} hr ${two(minutes)} min ${two(seconds % 60)} sec`;
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** As `date` writes it. */
function unixDate(ms: number): string {
  const date = new Date(ms);
  const day = String(date.getUTCDate()).padStart(2, ' ');
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  const name = days[date.getUTCDay()];
  return `${name} ${months[date.getUTCMonth()]} ${day} ${time} UTC ${date.getUTCFullYear()}`;
}

function foldersOf(paths: readonly string[]): string[] {
  const folders = paths.map((path) => `/${path.split('/')[1] ?? ''}`);
  return [...new Set(folders)].filter((one) => one !== '/' && !plainFolders.has(one)).toSorted();
}

const secondsUp = ({ startedMs }: ComponentFacts, { nowMs }: ComponentState): number =>
  Math.max(0, Math.floor((nowMs - startedMs) / 1_000));

function statusText(facts: ComponentFacts, state: ComponentState, delimiter: string): string {
  const lines = [
    ['Started', unixDate(facts.startedMs)],
    ['Up', uptime(secondsUp(facts, state))],
    ['Go version', facts.goVersion],
    ['Binary version', facts.binaryVersion],
    ['Emulation version', facts.emulationVersion],
    ['Paths', foldersOf(state.paths).join(' ')],
  ];
  return `\n${lines.map(([name, value]) => `${name}${delimiter} ${value}`).join('\n')}\n`;
}

const sortedFlags = ({ flags }: ComponentFacts): [string, string][] =>
  Object.entries(flags).toSorted(([a], [b]) => (a < b ? -1 : 1));

function pageText(page: ComponentPage, facts: ComponentFacts, state: ComponentState): string {
  const delimiter = delimiters[Math.floor(state.random.next() * delimiters.length)] ?? ':';
  const body =
    page === 'statusz'
      ? statusText(facts, state, delimiter)
      : sortedFlags(facts)
          .map(([name, value]) => `${name}${delimiter}${value}\n`)
          .join('');
  return `\n${COMPONENT} ${page}\n${WARNING}\n${body}`;
}

function pageObject(
  page: ComponentPage,
  facts: ComponentFacts,
  { state, version }: { readonly state: ComponentState; readonly version: string },
): object {
  const kind = page === 'statusz' ? 'Statusz' : 'Flagz';
  const head = { kind, apiVersion: `${GROUP}/${version}`, metadata: { name: COMPONENT } };
  if (page === 'flagz') {
    const flags = Object.fromEntries(sortedFlags(facts));
    return Object.keys(flags).length === 0 ? head : { ...head, flags };
  }
  return {
    ...head,
    startTime: new Date(facts.startedMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    uptimeSeconds: secondsUp(facts, state),
    goVersion: facts.goVersion,
    binaryVersion: facts.binaryVersion,
    emulationVersion: facts.emulationVersion,
    paths: foldersOf(state.paths),
  };
}

function formsOf(page: ComponentPage): DocumentForms {
  const kind = page === 'statusz' ? 'Statusz' : 'Flagz';
  return {
    types: [mediaTypes.json, mediaTypes.yaml, TEXT],
    allows: (type, as) =>
      type === TEXT
        ? as === undefined
        : as?.kind === kind && as.group === GROUP && ['v1alpha1', 'v1beta1'].includes(as.version),
  };
}

const toldAs = {
  media: ['json', 'yaml'],
  hasTransforms: false,
  isWatch: false,
  isListed: false,
} as const;

/** Any method: it is one page. */
export function sendComponentPage(
  exchange: Exchange,
  page: ComponentPage,
  { facts, state }: { readonly facts: ComponentFacts; readonly state: ComponentState },
): void {
  const forms = formsOf(page);
  const form = negotiateDocument(exchange.request, forms);
  if (form === undefined) {
    const status = notAccepted(forms.types).toStatus();
    // What is refused is told as it can be told.
    const told = negotiate(exchange.request, toldAs) ?? { media: 'json', isPretty: true };
    const { bytes, contentType } = encodedAs(told, status);
    return sendBytes(exchange, bytes, { status: status.code, contentType });
  }
  if (form.as === undefined) {
    const contentType = `${TEXT}; charset=utf-8`;
    return sendText(exchange, pageText(page, facts, state), { contentType });
  }
  const { kind, version } = form.as;
  const media: Media = form.type === mediaTypes.yaml ? 'yaml' : 'json';
  const { isPretty } = form;
  const { bytes } = encodedAs({ media, isPretty }, pageObject(page, facts, { state, version }));
  const contentType = `${form.type};g=${GROUP};v=${version};as=${kind}`;
  const old = `This version of the ${page} endpoint is deprecated. Please use a newer version.`;
  const warnings = version === 'v1alpha1' ? [old] : [];
  sendBytes(exchange, bytes, { contentType, warnings });
}
