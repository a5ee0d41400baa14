// Which admission plugins take part, and how they are configured: --enable-admission-plugins,
// --disable-admission-plugins and --admission-control-config-file.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';
import { textFlag, type AccessFlags } from '#kube/apiserver/flag-values.ts';
import { readConfiguration, type Json } from '#kube/apiserver/configuration-file.ts';

export interface PluginSelection {
  readonly isOn: (name: string) => boolean;
  /** undefined when there is none. */
  readonly configOf: (name: string) => unknown;
}

/** Those of upstream v1.37 that take part unless somebody says otherwise; NodeRestriction here as well. */
const onByDefault: ReadonlySet<string> = new Set([
  'NamespaceLifecycle',
  'LimitRanger',
  'ServiceAccount',
  'NodeRestriction',
  'TaintNodesByCondition',
  'PodSecurity',
  'Priority',
  'DefaultTolerationSeconds',
  'DefaultStorageClass',
  'StorageObjectInUseProtection',
  'PersistentVolumeClaimResize',
  'RuntimeClass',
  'CertificateApproval',
  'CertificateSigning',
  'ClusterTrustBundleAttest',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'PodTopologyLabels',
  'NodeDeclaredFeatureValidator',
  'PodResizeValidator',
  // Does nothing unless the feature gate GenericWorkload is on, which it is not by default.
  'PodGroupProtection',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
  'ResourceQuota',
]);

const offByDefault: ReadonlySet<string> = new Set([
  'AlwaysAdmit',
  'AlwaysDeny',
  'AlwaysPullImages',
  'DenyServiceExternalIPs',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'ImagePolicyWebhook',
  'LimitPodHardAntiAffinityTopology',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'OwnerReferencesPermissionEnforcement',
  'PodNodeSelector',
  'PodTolerationRestriction',
]);

const configurable: ReadonlySet<string> = new Set([
  'EventRateLimit',
  'ImagePolicyWebhook',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'PodNodeSelector',
  'PodSecurity',
  'PodTolerationRestriction',
  'ResourceQuota',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
]);

const ENABLE = 'enable-admission-plugins';
const DISABLE = 'disable-admission-plugins';

function bad(flag: string, why: string): Fault {
  return new Fault({ code: 'bad-option', flag }, `Cannot use --${flag}: ${why}`);
}

function namesIn(flags: AccessFlags, flag: string): string[] {
  const names = (textFlag(flags, flag) ?? '').split(',').filter((one) => one !== '');
  for (const one of names) {
    const isHere = onByDefault.has(one) || offByDefault.has(one);
    if (!isHere) throw bad(flag, `plugin "${one}" is unknown`);
  }
  return names;
}

function configurations(path: string): ReadonlyMap<string, unknown> {
  const earlier = ['apiserver.k8s.io/v1alpha1'];
  const wanted = { kind: 'AdmissionConfiguration', versions: ['v1'], earlier };
  const { plugins = [] } = readConfiguration(path, 'apiserver.config.k8s.io', wanted);
  const found = new Map<string, unknown>();
  for (const { name, path: file, configuration } of plugins as Json[]) {
    if (!configurable.has(String(name))) {
      throw new Fault(
        { code: 'bad-configuration', path },
        `Cannot use ${path}: plugin "${String(name)}" cannot be configured here`,
      );
    }
    const own = file === undefined || file === '' ? undefined : resolve(dirname(path), `${file}`);
    found.set(String(name), own === undefined ? configuration : parse(readFileSync(own, 'utf8')));
  }
  return found;
}

/** Throws Fault for what cannot be used. */
export function pluginSelection(flags: AccessFlags): PluginSelection {
  const enabled = new Set(namesIn(flags, ENABLE));
  const disabled = new Set(namesIn(flags, DISABLE));
  const both = [...enabled].filter((one) => disabled.has(one)).sort();
  if (both.length > 0) throw bad(ENABLE, `[${both.join(' ')}] is in --${DISABLE}, too`);
  const file = textFlag(flags, 'admission-control-config-file');
  const configs = file === undefined ? new Map<string, unknown>() : configurations(file);
  return {
    isOn: (name) => enabled.has(name) || (onByDefault.has(name) && !disabled.has(name)),
    configOf: (name) => configs.get(name),
  };
}
