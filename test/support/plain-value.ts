// Values without what a server draws by itself: ids, times, versions, names.
type Json = Record<string, unknown>;

const leftOut = new Set([
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'lastTransitionTime',
  'lastUpdateTime',
  'lastPhaseTransitionTime',
  'time',
  'deletionTimestamp',
  'selfLink',
  'expirationTimestamp',
]);

/** Without what the server draws by itself. */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'string') {
    return value
      .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'TOKEN')
      .replaceAll(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-DRAWN')
      .replaceAll(/selfType\d+/g, 'selfType')
      .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replaceAll('https://kubernetes.default.svc.cluster.local', 'https://kubernetes.default.svc');
  }
  if (Array.isArray(value)) {
    const all = value.map(plainValue);
    // Entries of managedFields of one second have no order.
    const isOwners = all.every(
      (one) => typeof one === 'object' && one !== null && 'fieldsV1' in one,
    );
    return isOwners ? all.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : all;
  }
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value)
    .filter((key) => !leftOut.has(key))
    .sort();
  return Object.fromEntries(keys.map((key) => [key, plainValue((value as Json)[key])]));
}
