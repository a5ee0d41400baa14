// Where an agent is killed, as text: `disk:12:before` is before its twelfth change of the disk.

export interface CrashPoint {
  readonly port: 'disk' | 'process';
  /** From 1, counted from the agent's start. */
  readonly step: number;
  readonly when: 'before' | 'after';
}

export function parseCrashPoint(text: string): CrashPoint | undefined {
  if (text === 'never') return undefined;
  const [, port, step, when] = /^(disk|process):(\d+):(before|after)$/.exec(text) ?? [];
  if (port === undefined) throw new Error(`"${text}" is no crash point`);
  return { port, step: Number(step), when } as CrashPoint;
}

export function crashPointText({ port, step, when }: CrashPoint): string {
  return `${port}:${step}:${when}`;
}
