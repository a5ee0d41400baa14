// When the program was made, as the web UI of Mesos and /version tell it: the time of the file that
// runs, which is the bundle, or this file in a clone.
import { statSync } from 'node:fs';

function fileTime(): number {
  try {
    return statSync(import.meta.filename).mtimeMs;
  } catch {
    return 0;
  }
}

const builtAtMs = Math.floor(fileTime() / 1000) * 1000;

/** `build_time` in seconds, `build_date` as date(1) has it in UTC, without its zone. */
export const buildTime = {
  build_date: new Date(builtAtMs).toISOString().slice(0, 19).replace('T', ' '),
  build_time: builtAtMs / 1000,
} as const;
