// Which requests of a connection are libprocess messages, written the way libprocess writes them.
import { beginsRequest, RequestParser, type RequestHead } from './request-parser.ts';

/** One message: POST /ID/NAME from a process that libprocess names in User-Agent. */
export interface ParsedMessage {
  readonly id: string;
  readonly name: string;
  readonly from: string;
  readonly body: Uint8Array;
}

interface MessageHead {
  readonly id: string;
  readonly name: string;
  readonly from: string;
}

export interface MessageParserOptions {
  readonly bodyBytesMax: number;
  readonly onMessage: (message: ParsedMessage) => void;
}

const AGENT = 'libprocess/';
const REQUEST_LINE = /^POST \/([^/ ?#]+)\/([\w.]+) HTTP\/1\.1$/;

function headOf({ line, headers }: RequestHead): MessageHead | undefined {
  const agent = headers.get('user-agent');
  if (agent?.startsWith(AGENT) !== true) return undefined;
  const [, id, name] = REQUEST_LINE.exec(line) ?? [];
  if (id === undefined || name === undefined) return undefined;
  return { id, name, from: headers.get('libprocess-from') ?? agent.slice(AGENT.length) };
}

/** Whether the first bytes of a connection hold the whole head of a message. */
export function beginsMessage(first: Buffer): boolean {
  return beginsRequest(first, headOf);
}

export function messageParser({
  bodyBytesMax,
  onMessage,
}: MessageParserOptions): RequestParser<MessageHead> {
  return new RequestParser({
    bodyBytesMax,
    headOf,
    onRequest: ({ id, name, from }, body) => onMessage({ id, name, from, body }),
  });
}
