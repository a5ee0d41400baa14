// shows differences
import { readFileSync } from 'node:fs';
import { playSteps } from '#test/support/step-player.ts';
import { suites } from '#test/support/step-suites.ts';
import { startOwnServer } from '#test/support/step-target.ts';
const suite = process.argv[2]!, most = Number(process.argv[3] ?? 10);
const recorded = JSON.parse(readFileSync(`test/vectors/kube-steps-${suite}.json`, 'utf8'));
const own = await startOwnServer();
const found = await playSteps(own.target, suites[suite]!()).finally(() => own.close());
let n = 0, bad = 0;
const flat = (v: any, p: string, out: Record<string, string>) => { if (typeof v === 'object' && v !== null && (Array.isArray(v) ? v.length : Object.keys(v).length)) for (const [k, x] of Object.entries(v)) flat(x, `${p}.${k}`, out); else out[p] = JSON.stringify(v); return out; };
for (const [name, w] of Object.entries(recorded)) {
  const f = JSON.parse(JSON.stringify(found[name] ?? null));
  const [a, b] = [flat(f, '', {}), flat(w, '', {})];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((k) => a[k] !== b[k]);
  if (keys.length === 0) continue;
  bad++;
  if (n++ >= most) continue;
  console.log(`== ${name}`);
  for (const k of keys.slice(0, 12)) console.log(`  ${k}\n     own  ${a[k]}\n     real ${b[k]}`);
}
console.log(`${bad} of ${Object.keys(recorded).length} differ`);
process.exit(0);
