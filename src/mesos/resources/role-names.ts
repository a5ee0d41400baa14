// Names of roles: which are valid, and what is above them.

/** The words are Mesos 1.11's: they reach frameworks in ERROR events. */
export function validateRole(role: string): string | undefined {
  if (role === '*') return undefined;
  if (role === '') return 'Role names cannot be the empty string';
  if (role.startsWith('/')) return `Role '${role}' cannot start with a slash`;
  if (role.endsWith('/')) return `Role '${role}' cannot end with a slash`;
  if (role.includes('//')) return `Role '${role}' cannot contain two adjacent slashes`;
  for (const part of role.split('/')) {
    if (part === '.' || part === '..' || part === '*') {
      return `Role '${role}' cannot include '${part}' as a component`;
    }
    if (part.startsWith('-')) {
      return `Role component '${part}' is invalid because it starts with a dash`;
    }
    // oxlint-disable-next-line no-control-regex
    if (/[\t\n\v\f\r \u007f]/.test(part)) {
      return `Role component '${part}' is invalid because it contains backspace or whitespace`;
    }
  }
  return undefined;
}

/** The roles above it, nearest first. */
export function ancestorsOf(role: string): string[] {
  const found: string[] = [];
  for (let at = role.lastIndexOf('/'); at > 0; at = role.lastIndexOf('/', at - 1)) {
    found.push(role.slice(0, at));
  }
  return found;
}
