// A JSON Schema of an object as fields of a form, and what was typed there as values. The gateway judges them in the end.

import { parseDocument } from 'yaml';
import type { Schema } from '../api/types';
import { plain } from './format';

export type Control = 'text' | 'secret' | 'number' | 'choice' | 'yaml';

export interface Field {
  name: string;
  control: Control;
  required: boolean;
  /** What stands there at first. */
  initial: string;
  help: string;
  /** Of a choice: values as they are written, the empty one first where it may be left out. */
  options: readonly string[];
  schema: Schema;
}

/** What was typed, by name of the field. */
export type Draft = Readonly<Record<string, string>>;

export function fieldsOf(schema: Schema): Field[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {})
    .map(([name, one]) => fieldOf(name, one, required.has(name)))
    .sort((one, other) => Number(other.required) - Number(one.required));
}

function fieldOf(name: string, schema: Schema, required: boolean): Field {
  const control = controlOf(schema);
  const initial = schema.default === undefined ? '' : plain(schema.default);
  const values = schema.type === 'boolean' ? ['true', 'false'] : (schema.enum ?? []).map(plain);
  const options = control !== 'choice' || required || initial !== '' ? values : ['', ...values];
  return { name, control, required, initial, help: helpOf(schema, control), options, schema };
}

function controlOf(schema: Schema): Control {
  if (schema.writeOnly) return 'secret';
  if (schema.enum !== undefined || schema.type === 'boolean') return 'choice';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  return schema.type === 'string' ? 'text' : 'yaml';
}

function helpOf(schema: Schema, control: Control): string {
  const bounds = boundsOf(schema);
  const said = schema.description ?? schema.title ?? '';
  const kind = { text: '', choice: '', number: bounds, secret: 'shown to nobody', yaml: 'as YAML' }[control];
  return [said, kind].filter((one) => one !== '').join('; ');
}

function boundsOf({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (minimum !== undefined) return `at least ${minimum}`;
  return maximum === undefined ? '' : `at most ${maximum}`;
}

export interface Typed {
  values: Record<string, unknown>;
  /** Why it cannot be sent, by name of the field. */
  errors: Record<string, string>;
}

export function typed(fields: readonly Field[], draft: Draft): Typed {
  const values: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const text = draft[field.name] ?? field.initial;
    if (text === '') {
      if (field.required) errors[field.name] = 'This has to be given.';
      continue;
    }
    const { value, error } = valueOf(field, text);
    if (error === '') values[field.name] = value;
    else errors[field.name] = error;
  }
  return { values, errors };
}

function valueOf({ control, schema }: Field, text: string): { value: unknown; error: string } {
  const fine = (value: unknown) => ({ value, error: '' });
  const wrong = (error: string) => ({ value: undefined, error });
  if (control === 'number') {
    const number = Number(text);
    if (!Number.isFinite(number) || text.trim() === '') return wrong('This is no number.');
    if (schema.type === 'integer' && !Number.isInteger(number)) return wrong('This is no whole number.');
    const { minimum = -Infinity, maximum = Infinity } = schema;
    return number < minimum || number > maximum ? wrong(`${boundsOf(schema)}, please.`) : fine(number);
  }
  if (control === 'choice') {
    if (schema.type === 'boolean') return fine(text === 'true');
    return fine((schema.enum ?? []).find((one) => plain(one) === text));
  }
  if (control === 'yaml') {
    const document = parseDocument(text);
    const [first] = document.errors;
    if (first) return wrong(first.message.split('\n')[0] ?? 'This is no YAML.');
    return attempt(() => document.toJS({ maxAliasCount: 0 }) as unknown);
  }
  const { minLength = 0, maxLength = Infinity } = schema;
  if (text.length < minLength) return wrong(`At least ${minLength} characters.`);
  return text.length > maxLength ? wrong(`At most ${maxLength} characters.`) : fine(text);
}

function attempt(read: () => unknown): { value: unknown; error: string } {
  try {
    return { value: read(), error: '' };
  } catch {
    return { value: undefined, error: 'Aliases are not taken.' };
  }
}
