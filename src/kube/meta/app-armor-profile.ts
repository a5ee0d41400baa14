// AppArmor as annotations of pods said it before v1.30, for the container whose name stands at the end.

export const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';

export interface AppArmorProfile {
  readonly type: 'Unconfined' | 'RuntimeDefault' | 'Localhost';
  readonly localhostProfile?: string;
}

const PROFILE_LENGTH_MAX = 4_095;

/** The field that says the same; undefined for what no field can say. */
export function appArmorProfile(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  const [, localhostProfile = ''] = /^localhost\/(.*)$/.exec(annotation) ?? [];
  const isRight =
    localhostProfile.trim() === localhostProfile &&
    localhostProfile !== '' &&
    localhostProfile.length <= PROFILE_LENGTH_MAX;
  return isRight ? { type: 'Localhost', localhostProfile } : undefined;
}
