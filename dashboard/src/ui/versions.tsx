// What was wanted earlier: versions, what changed between two of them, and the way back.

import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Radio from '@mui/material/Radio';
import Stack from '@mui/material/Stack';
import { useState } from 'react';
import type { Diff, Difference, Version, Versions } from '../api/types';
import { MONO } from '../app/theme';
import { plain } from './format';
import { Ago, Loaded, Nothing, Rows, Tag } from './parts';

export function Changes({ changes }: { changes: readonly Difference[] }) {
  if (changes.length === 0) return <Nothing>Nothing changes.</Nothing>;
  return (
    <Box
      component="ul"
      aria-label="Changes"
      sx={{
        m: 0,
        p: 0,
        listStyle: 'none',
        fontFamily: MONO,
        fontSize: '0.82rem',
        display: 'grid',
        gap: 0.75,
      }}
    >
      {changes.map((change) => (
        <Box component="li" key={change.path.join('\u0000')} sx={{ display: 'grid', gap: 0.25 }}>
          <Box sx={{ color: 'text.secondary' }}>{change.path.join('.') || 'the whole'}</Box>
          {'from' in change && <Line sign="−" tone="error" word="was" value={change.from} />}
          {'to' in change && <Line sign="+" tone="success" word="becomes" value={change.to} />}
        </Box>
      ))}
    </Box>
  );
}

function Line({
  sign,
  tone,
  word,
  value,
}: {
  sign: string;
  tone: 'error' | 'success';
  word: string;
  value: unknown;
}) {
  return (
    <Box sx={{ display: 'flex', gap: 1, pl: 1, borderLeft: 3, borderColor: `${tone}.main` }}>
      <Box component="span" aria-label={word} role="img" sx={{ color: `${tone}.main`, fontWeight: 700 }}>
        {sign}
      </Box>
      <Box component="span" sx={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {plain(value)}
      </Box>
    </Box>
  );
}

export function Steps({ steps }: { steps: readonly string[] }) {
  if (steps.length === 0) return <Nothing>There is nothing to do.</Nothing>;
  return (
    <Box component="ol" sx={{ m: 0, pl: 2.5, display: 'grid', gap: 0.5 }} data-testid="steps">
      {steps.map((step) => (
        <li key={step}>{step}</li>
      ))}
    </Box>
  );
}

interface Read<T> {
  data?: T | undefined;
  error?: unknown;
  isLoading: boolean;
  refetch?: () => unknown;
}

export function History({
  of,
  useDiff,
  onReturn,
}: {
  of: Read<Versions>;
  useDiff: (range: { from: number; to: number } | null) => Read<Diff>;
  /** Absent: who looks may not. */
  onReturn?: ((version: Version) => void) | undefined;
}) {
  const [picked, setPicked] = useState<{ from: number; to: number } | null>(null);
  const newest = of.data?.versions[0]?.revision ?? 0;
  const before = of.data?.versions[1]?.revision ?? newest;
  const range = picked ?? { from: before, to: newest };
  const diff = useDiff(newest > 0 && range.from !== range.to ? range : null);
  return (
    <Loaded of={of}>
      {({ versions, oldest }) => (
        <Stack spacing={2}>
          <Box sx={{ overflowX: 'auto' }}>
            <Rows<Version>
              label="Versions"
              rows={versions}
              id={(one) => one.revision}
              empty="Nothing was set yet."
              columns={[
                {
                  head: 'From', width: 56,
                  cell: (one) => <Pick name="from" one={one} picked={range.from} onPick={(from) => setPicked({ ...range, from })} />,
                },
                {
                  head: 'To', width: 56,
                  cell: (one) => <Pick name="to" one={one} picked={range.to} onPick={(to) => setPicked({ ...range, to })} />,
                },
                { head: 'Version', cell: (one) => <>{one.version} {one.current && <Tag tone="success">in force</Tag>}</> },
                { head: 'When', cell: (one) => <Ago at={one.at} /> },
                { head: 'By', cell: (one) => one.actor },
                { head: 'What was new', cell: (one) => one.message },
                ...(onReturn
                  ? [{ head: 'Actions', unseen: true, cell: (one: Version) => one.current ? null : <Button onClick={() => onReturn(one)}>Roll back</Button> }]
                  : []),
              ]} // prettier-ignore
            />
          </Box>
          {oldest > 0 && (
            <Box sx={{ color: 'text.secondary' }}>
              What was in force before revision {oldest} is no longer kept.
            </Box>
          )}
          {newest > 0 && range.from !== range.to && (
            <Loaded of={diff}>{(data) => <Changes changes={data.changes} />}</Loaded>
          )}
        </Stack>
      )}
    </Loaded>
  );
}

function Pick({
  name,
  one,
  picked,
  onPick,
}: {
  name: string;
  one: Version;
  picked: number;
  onPick: (revision: number) => void;
}) {
  return (
    <Radio
      size="small"
      checked={one.revision === picked}
      onChange={() => onPick(one.revision)}
      sx={{ p: 0.25 }}
      slotProps={{ input: { 'aria-label': `Compare ${name} version ${one.version}` } }}
    />
  );
}
