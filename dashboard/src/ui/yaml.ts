// What people write: YAML, without aliases, which can make a few lines into gigabytes.

import { parseDocument } from 'yaml';

/** The text as a value, or what is wrong with it and in which line. */
export function parsed(text: string): { value: unknown; error: string } {
  const document = parseDocument(text, { prettyErrors: true });
  const [first] = document.errors;
  if (first) {
    const line = first.linePos?.[0].line;
    return { value: undefined, error: `${line ? `Line ${line}: ` : ''}${first.message.split('\n')[0]}` };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { value: undefined, error: 'This is to be a mapping: names, and what they have.' };
    }
    return { value, error: '' };
  } catch (error) {
    return { value: undefined, error: error instanceof Error ? error.message : 'This is no YAML.' };
  }
}
