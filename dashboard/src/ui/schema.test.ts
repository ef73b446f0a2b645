import { expect, test } from 'vitest';
import type { Schema } from '../api/types';
import { fieldsOf, typed, type Draft } from './schema';

const SCHEMA: Schema = {
  type: 'object',
  required: ['delta'],
  properties: {
    text: { type: 'string', default: 'hello', maxLength: 5 },
    delta: { type: 'integer', minimum: -3, maximum: 3, description: 'so many more' },
    dry: { type: 'boolean' },
    level: { enum: ['low', 2] },
    password: { type: 'string', writeOnly: true, minLength: 4 },
    tags: { type: 'array' },
  },
};
const FIELDS = fieldsOf(SCHEMA);
const of = (draft: Draft) => typed(FIELDS, draft);

test('what is required comes first, and each kind has its control', () => {
  expect(FIELDS.map(({ name, control }) => [name, control])).toEqual([
    ['delta', 'number'], ['text', 'text'], ['dry', 'choice'], ['level', 'choice'], ['password', 'secret'], ['tags', 'yaml'],
  ]); // prettier-ignore
  expect(FIELDS[0]?.help).toBe('so many more; -3 to 3');
  expect(FIELDS[2]?.options).toEqual(['', 'true', 'false']);
});

test('what was typed becomes values of the schema, and what was left out is not sent', () => {
  expect(of({ delta: '-2', dry: 'false', level: '2', password: 's3cret', tags: '[a, {b: 1}]' })).toEqual({
    values: { delta: -2, text: 'hello', dry: false, level: 2, password: 's3cret', tags: ['a', { b: 1 }] },
    errors: {},
  });
  expect(of({ delta: '1', text: '' }).values).toEqual({ delta: 1 });
});

test.each([
  [{}, 'delta', 'has to be given'],
  [{ delta: 'x' }, 'delta', 'no number'],
  [{ delta: '1.5' }, 'delta', 'no whole number'],
  [{ delta: '9' }, 'delta', '-3 to 3'],
  [{ delta: '1', text: 'too long' }, 'text', 'At most 5'],
  [{ delta: '1', password: 'abc' }, 'password', 'At least 4'],
  [{ delta: '1', tags: '[' }, 'tags', ''],
  [{ delta: '1', tags: 'a: &x [1]\nb: *x' }, 'tags', 'Aliases'],
])('%j is told to be wrong where it is', (draft, field, why) => {
  const { errors, values } = of(draft);
  expect(Object.keys(errors)).toEqual([field]);
  expect(errors[field]).toContain(why);
  expect(values).not.toHaveProperty(field);
});
