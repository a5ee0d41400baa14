// What a whole pod requests or is limited to: containers together, init containers one after another,
// sidecars for as long as they run, and the overhead of its runtime.
import { formatQuantity, parseQuantity, type Quantity } from './quantity.ts';

type Json = Record<string, unknown>;
type Amounts = Record<string, Quantity>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function amountsOf(container: Json, which: 'requests' | 'limits'): Amounts {
  const own = ((container['resources'] as Json | undefined)?.[which] ?? {}) as Json;
  return quantities(own);
}

function quantities(own: Json): Amounts {
  const out: Amounts = {};
  for (const [name, amount] of Object.entries(own)) {
    const parsed = parseQuantity(String(amount));
    if (parsed !== undefined) out[name] = parsed;
  }
  return out;
}

function add(a: Amounts, b: Amounts): Amounts {
  const out = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const known = out[name];
    out[name] = known === undefined ? amount : { nano: known.nano + amount.nano, form: known.form };
  }
  return out;
}

function most(a: Amounts, b: Amounts): Amounts {
  const out = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const known = out[name];
    if (known === undefined || amount.nano > known.nano) out[name] = amount;
  }
  return out;
}

export function podResources(spec: Json, which: 'requests' | 'limits'): Record<string, string> {
  let total = list(spec['containers']).reduce<Amounts>(
    (sum, one) => add(sum, amountsOf(one, which)),
    {},
  );
  let sidecars: Amounts = {};
  let starting: Amounts = {};
  for (const one of list(spec['initContainers'])) {
    const own = amountsOf(one, which);
    if (one['restartPolicy'] === 'Always') {
      total = add(total, own);
      sidecars = add(sidecars, own);
      starting = most(starting, sidecars);
    } else starting = most(starting, add(sidecars, own));
  }
  total = most(total, starting);
  // What is said of the pod as a whole stands for the sum.
  total = {
    ...total,
    ...quantities(((spec['resources'] as Json | undefined)?.[which] ?? {}) as Json),
  };
  const overhead = quantities((spec['overhead'] ?? {}) as Json);
  for (const [name, amount] of Object.entries(overhead)) {
    if (which === 'requests' || total[name] !== undefined) total = add(total, { [name]: amount });
  }
  return Object.fromEntries(
    Object.entries(total).map(([name, amount]) => [name, formatQuantity(amount)]),
  );
}
