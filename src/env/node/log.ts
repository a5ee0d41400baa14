// Structured logs: one line of logfmt-like text or JSON per entry, on standard error.
import type { Log, LogFields } from '#env/env.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: LogLevel | (() => LogLevel);
  readonly format: 'text' | 'json';
  readonly write: (line: string, level: LogLevel) => void;
}

function text(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  const raw = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
  return /^[\w.:/@+\-[\]]*$/.test(raw) ? raw : JSON.stringify(raw);
}

function plain(value: unknown): unknown {
  return value instanceof Error ? { message: value.message, stack: value.stack } : value;
}

export function createLog(options: LogOptions, base: LogFields = {}): Log {
  const emit = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    const least = typeof options.level === 'string' ? options.level : options.level();
    if (order[level] < order[least]) return;
    const all = { ...base, ...fields };
    const time = new Date().toISOString();
    if (options.format === 'json') {
      const entries = Object.entries(all).map(([key, value]) => [key, plain(value)]);
      options.write(
        `${JSON.stringify({ time, level, message, ...Object.fromEntries(entries) })}\n`,
        level,
      );
      return;
    }
    const tail = Object.entries(all).map(([key, value]) => ` ${key}=${text(value)}`);
    options.write(`${time} ${level.toUpperCase().padEnd(5)} ${message}${tail.join('')}\n`, level);
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    child: (fields) => createLog(options, { ...base, ...fields }),
  };
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
