// What a spec may say, out of the gateway's own description: it cannot be older than the gateway.

import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import { colonyApi } from '../api/colony';
import type { Schema } from '../api/types';
import { MONO } from '../app/theme';
import { plain } from './format';
import { Loaded, Panel } from './parts';

const PARTS = ['Spec', 'CasteSpec', 'Requirements', 'CouncilSpec', 'Policies', 'BackupPolicy', 'Keep'];

export function typeOf(schema: Schema): string {
  if (schema.$ref) return schema.$ref.split('/').pop() ?? '';
  if (schema.enum) return schema.enum.map(plain).join(' | ');
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' | ');
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
    return `name: ${typeOf(schema.additionalProperties)}`;
  }
  return schema.type ?? 'any';
}

export function SpecHelp() {
  const api = colonyApi.useDescriptionQuery();
  return (
    <Panel title="What it may say">
      <Loaded of={api}>
        {({ components: { schemas } }) => (
          <Box
            sx={{ display: 'grid', gap: 2, maxHeight: 620, overflow: 'auto' }}
            tabIndex={0}
            role="region"
            aria-label="Fields of a spec"
          >
            {PARTS.filter((name) => schemas[name]).map((name) => (
              <Box key={name}>
                <Typography variant="h3">{name}</Typography>
                <Typography variant="body2" sx={{ color: 'text.secondary', mb: 0.5 }}>
                  {schemas[name]?.description?.replace(/``/g, '')}
                </Typography>
                {Object.entries(schemas[name]?.properties ?? {}).map(([field, schema]) => (
                  <Box
                    key={field}
                    sx={{
                      display: 'flex',
                      gap: 1,
                      flexWrap: 'wrap',
                      fontFamily: MONO,
                      fontSize: '0.8rem',
                      py: 0.25,
                    }}
                  >
                    <Box component="span" sx={{ fontWeight: 650 }}>
                      {field}
                    </Box>
                    <Box component="span" sx={{ color: 'text.secondary' }}>
                      {typeOf(schema)}
                      {schema.default !== undefined &&
                      schema.default !== null &&
                      plain(schema.default) !== '{}' &&
                      plain(schema.default) !== ''
                        ? ` = ${plain(schema.default)}`
                        : ''}
                      {schemas[name]?.required?.includes(field) ? ', required' : ''}
                    </Box>
                  </Box>
                ))}
              </Box>
            ))}
          </Box>
        )}
      </Loaded>
    </Panel>
  );
}
