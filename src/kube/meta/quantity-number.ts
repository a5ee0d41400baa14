// Kubernetes quantities as plain numbers, for arithmetic where their precision does not matter.

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** 0 for what is no quantity: the API server has validated whatever comes this way. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(
    String(value).trim(),
  );
  const factor = suffixes[match?.[2] ?? '?'];
  return match === null || factor === undefined ? 0 : Number(match[1]) * factor;
}
