// Which ids frameworks may give to frameworks, executors and tasks: they become names of folders.

const LENGTH_MAX = 255;

export function validateId(id: string): string | undefined {
  if (id === '') return 'ID must not be empty';
  if (id.length > LENGTH_MAX) return `ID must not be greater than ${LENGTH_MAX} characters`;
  if (id === '.' || id === '..') return `'${id}' is disallowed`;
  // oxlint-disable-next-line no-control-regex
  if (/[/\\\u0000-\u001f\u007f]/.test(id)) return `'${id}' contains invalid characters`;
  return undefined;
}
