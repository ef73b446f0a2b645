// The fields of a form, as a schema has them.

import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import { MONO } from '../app/theme';
import type { Draft, Field } from './schema';

export function SchemaForm({
  fields,
  draft,
  errors,
  onChange,
}: {
  fields: readonly Field[];
  draft: Draft;
  /** By name of the field; what was not touched yet is not blamed. */
  errors: Readonly<Record<string, string>>;
  onChange: (draft: Draft) => void;
}) {
  return (
    <Stack spacing={2}>
      {fields.map((field) => {
        const { name, control, required, options } = field;
        const error = errors[name] ?? '';
        return (
          <TextField
            key={name}
            label={name}
            required={required}
            value={draft[name] ?? field.initial}
            onChange={(event) => onChange({ ...draft, [name]: event.target.value })}
            error={error !== ''}
            helperText={error || field.help || undefined}
            autoComplete={control === 'secret' ? 'new-password' : 'off'}
            {...(control === 'choice' ? { select: true } : {})}
            {...(control === 'secret' ? { type: 'password' } : {})}
            {...(control === 'yaml' ? { multiline: true, minRows: 2 } : {})}
            slotProps={{
              htmlInput: {
                spellCheck: false,
                ...(control === 'number' ? { inputMode: 'numeric' } : {}),
                ...(control === 'yaml' ? { style: { fontFamily: MONO } } : {}),
              },
            }}
          >
            {options.map((option) => (
              <MenuItem key={option} value={option}>
                {option === '' ? <em>not given</em> : option}
              </MenuItem>
            ))}
          </TextField>
        );
      })}
    </Stack>
  );
}
