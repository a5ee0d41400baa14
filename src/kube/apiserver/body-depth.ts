// How deep bodies may be nested: upstream's decoders give up at 10,000, and so do these, before a parser
// has spent seconds on what nobody means.

export const DEPTH_MAX = 10_000;
/** The parser of YAML calls itself at every level, and has no more room for it than this. */
export const YAML_DEPTH_MAX = 500;

const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const QUESTION = 0x3f;

/** Of JSON, and of what is written in YAML as JSON is. Strings do not count. */
function flowDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isInString) {
      if (code === BACKSLASH) i += 1;
      else if (code === QUOTE || code === NEWLINE) isInString = false;
    } else if (code === QUOTE) isInString = true;
    else if (code === OPEN_LIST || code === OPEN_MAP) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code === CLOSE_LIST || code === CLOSE_MAP) depth -= 1;
  }
  return deepest;
}

/** Of YAML: how many lists and complex keys begin on one line, `- - - x`. */
function lineDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isAtStart = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === NEWLINE) {
      depth = 0;
      isAtStart = true;
    } else if (isAtStart && (code === DASH || code === QUESTION)) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code !== SPACE) isAtStart = false;
  }
  return deepest;
}

/** Short texts cannot be too deep, and are not looked at. */
export function isTooDeep(text: string, isYaml: boolean): boolean {
  const most = isYaml ? YAML_DEPTH_MAX : DEPTH_MAX;
  if (text.length <= most) return false;
  return flowDepth(text) > most || (isYaml && lineDepth(text) > most);
}
