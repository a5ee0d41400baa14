// What is wrong with the addresses and families of a service by themselves, and which of them may change: a second
// one comes and goes, the first one stays (ValidateServiceClusterIPsRelatedFields and ValidateServiceUpdate of
// kubernetes v1.37). What the cluster has ranges for is asked elsewhere (apiserver/service-families.ts).
import { isIP } from 'node:net';
import { ipAddress, oneOf } from './field-rules.ts';
import { duplicate, invalidValue, requiredValue } from './names.ts';
import type { StatusCause } from './status.ts';

type Spec = Readonly<Record<string, unknown>>;

const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? (value as string[]) : [];

const ADDRESSES = 'spec.clusterIPs';
const FAMILIES = 'spec.ipFamilies';
const POLICY = 'spec.ipFamilyPolicy';

const isExternal = (spec: Spec): boolean => spec['type'] === 'ExternalName';

const isHeadless = ({ clusterIPs }: Spec): boolean => {
  const all = textsOf(clusterIPs);
  return all.length === 1 && all[0] === 'None';
};

/** One after another as upstream finds it: the first of several that follow from each other is told alone. */
export function serviceAddressCauses(spec: Spec, before: Spec | undefined): StatusCause[] {
  if (isExternal(spec)) return [];
  const given = (spec['clusterIP'] ?? '') as string;
  const all = textsOf(spec['clusterIPs']);
  const causes: StatusCause[] = [];
  const wrong = (why: string): void => void causes.push(invalidValue(ADDRESSES, all, why));
  if (given === '' && all.length > 0) wrong('must be empty when `clusterIP` is not specified');
  if (given !== '' && all.length === 0) causes.push(requiredValue(ADDRESSES));
  if (given !== '' && all.length > 0 && all[0] !== given) {
    wrong('first value must match `clusterIP`');
  }
  const wanted = textsOf(spec['ipFamilies']);
  causes.push(...familyCauses(wanted));
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  causes.push(...oneOf(POLICY, spec['ipFamilyPolicy'], policies));
  // What was taken before is taken again.
  const known = textsOf(before?.['clusterIPs']);
  let isBroken = false;
  all.forEach((one, i) => {
    if (i === 0 && one === 'None') {
      if (all.length === 1) return;
      wrong("'None' must be the first and only value");
      isBroken = true;
      return;
    }
    const problems = ipAddress(`${ADDRESSES}[${i}]`, one, known);
    if (problems.length > 0) isBroken = true;
    causes.push(...problems);
  });
  if (all.length > 2) wrong('may only hold up to 2 values');
  if (isBroken) return causes;
  const kinds = all.map((one) => isIP(one));
  if (all.length > 1 && !(kinds.includes(4) && kinds.includes(6))) {
    wrong('may specify no more than one IP for each IP family');
  }
  return isHeadless(spec) ? causes : [...causes, ...mismatches(all, wanted)];
}

function familyCauses(wanted: readonly string[]): StatusCause[] {
  return wanted.flatMap((one, i) => {
    const at = `${FAMILIES}[${i}]`;
    const wrong = oneOf(at, one, ['IPv4', 'IPv6']);
    return wanted.indexOf(one) < i ? [...wrong, duplicate(at, one)] : wrong;
  });
}

function mismatches(all: readonly string[], wanted: readonly string[]): StatusCause[] {
  return all.flatMap((ip, i) => {
    const family = wanted[i];
    const isRight = family === (isIP(ip) === 6 ? 'IPv6' : 'IPv4');
    if (isRight || (family !== 'IPv4' && family !== 'IPv6')) return [];
    const why = `expected an ${family} value as indicated by \`ipFamilies[${i}]\``;
    return [invalidValue(`${ADDRESSES}[${i}]`, ip, why)];
  });
}

const FIXED = 'may not change once set';

/** Throughout only between services that have addresses, or are headless. */
export function serviceAddressChanges(spec: Spec, before: Spec): StatusCause[] {
  if (isExternal(spec) || isExternal(before)) return [];
  return [...changedAddresses(spec, before), ...changedFamilies(spec, before)];
}

function changedAddresses(spec: Spec, before: Spec): StatusCause[] {
  if (isHeadless(spec) && isHeadless(before)) return [];
  const [next, old] = [textsOf(spec['clusterIPs']), textsOf(before['clusterIPs'])];
  const shown = spec['clusterIPs'] ?? null;
  const fixed = (i: number): StatusCause => invalidValue(`${ADDRESSES}[${i}]`, shown, FIXED);
  if (next.length === old.length) {
    return old.flatMap((ip, i) => (ip === next[i] ? [] : [fixed(i)]));
  }
  const causes: StatusCause[] = [];
  if (next.length === 0) {
    causes.push(invalidValue(`${ADDRESSES}[0]`, shown, 'primary clusterIP can not be unset'));
  }
  if (next.length > 0 && old.length > 0 && next[0] !== old[0]) causes.push(fixed(0));
  const isLess = next.length === 1 && old.length > 1;
  if (isLess && spec['ipFamilyPolicy'] !== 'SingleStack') {
    const why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
    causes.push(invalidValue(POLICY, spec['ipFamilyPolicy'] ?? null, why));
  }
  return causes;
}

/** Upstream shows the addresses in place of the families where their count has changed. */
function changedFamilies(spec: Spec, before: Spec): StatusCause[] {
  if (isHeadless(spec) || isHeadless(before)) return [];
  const [next, old] = [textsOf(spec['ipFamilies']), textsOf(before['ipFamilies'])];
  const at = `${FAMILIES}[0]`;
  const shown = spec['ipFamilies'] ?? null;
  if (next.length === old.length) {
    return old.flatMap((one, i) => (one === next[i] ? [] : [invalidValue(at, shown, FIXED)]));
  }
  const causes: StatusCause[] = [];
  const isLess = next.length < old.length;
  if (isLess && textsOf(spec['clusterIPs']).length === 0) {
    causes.push(invalidValue(at, shown, 'primary ipFamily can not be unset'));
  }
  if (next.length > 0 && old.length > 0 && next[0] !== old[0]) {
    causes.push(invalidValue(at, spec['clusterIPs'] ?? null, FIXED));
  }
  if (isLess && next.length === 1 && spec['ipFamilyPolicy'] !== 'SingleStack') {
    const why = "must be set to 'SingleStack' when releasing the secondary ipFamily";
    causes.push(invalidValue(POLICY, spec['ipFamilyPolicy'] ?? null, why));
  }
  return causes;
}
