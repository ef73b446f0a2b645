import Button from '@mui/material/Button';
import Link from '@mui/material/Link';
import MenuItem from '@mui/material/MenuItem';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useMemo } from 'react';
import { colonyApi } from '../../api/colony';
import type { JobLine } from '../../api/types';
import { count, counted, took } from '../../ui/format';
import { Grid, type GridColumn } from '../../ui/Grid';
import { Ago, Loaded, Nothing, Word } from '../../ui/parts';
import { useSearch } from '../../ui/search';
import { isOpen, said, STATE, STATES } from './states';

const COLUMNS: GridColumn<JobLine>[] = [
  {
    key: 'operation', head: 'Operation', width: 'minmax(150px, 1fr)',
    cell: (job) => <Link href={`#/jobs/${job.id}`} sx={{ fontWeight: 600 }}>{job.operation}</Link>,
  },
  { key: 'state', head: 'State', width: '120px', cell: (job) => <Word tone={STATE[job.state]}>{said(job.state)}</Word> },
  { key: 'message', head: 'How it goes', width: 'minmax(220px, 3fr)', sortable: false, cell: (job) => job.message || [job.play, job.task].filter(Boolean).join(' › ') || '–' },
  { key: 'actor', head: 'By', width: 'minmax(90px, 1fr)', cell: (job) => job.actor },
  { key: 'node', head: 'On', width: 'minmax(90px, 1fr)', cell: (job) => job.node || '–' },
  { key: 'created_at', head: 'Asked for', width: '120px', cell: (job) => <Ago at={job.created_at} /> },
  { key: 'took', head: 'Took', width: '90px', number: true, sortable: false, cell: (job) => took(job.started_at, job.ended_at) || '–' },
]; // prettier-ignore

/** Those that ``search`` lets through, in the order it names; the newest first unless it says otherwise. */
export function chosen(jobs: readonly JobLine[], search: URLSearchParams): JobLine[] {
  const [state, operation] = [search.get('state') ?? '', search.get('operation') ?? ''];
  const sort = search.get('sort') ?? '-created_at';
  const key = sort.replace(/^-/, '') as keyof JobLine;
  const order = (one: JobLine, other: JobLine) => {
    const [a, b] = [one[key], other[key]];
    return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
  };
  const found = jobs
    .filter(
      (job) => (state === '' || job.state === state) && (operation === '' || job.operation === operation),
    )
    .sort((one, other) => order(one, other) || one.created_at - other.created_at);
  return sort.startsWith('-') ? found.reverse() : found;
}

export function JobList() {
  const known = colonyApi.useJobsQuery();
  // Where a job is at its tasks no event tells.
  colonyApi.useJobsQuery(undefined, { pollingInterval: known.data?.some(isOpen) ? 3000 : 60_000 });
  return (
    <Loaded of={known} rows={6}>
      {(jobs) => <Table jobs={jobs} />}
    </Loaded>
  );
}

function Table({ jobs }: { jobs: readonly JobLine[] }) {
  const [search, set] = useSearch();
  const query = search.toString();
  const rows = useMemo(() => chosen(jobs, new URLSearchParams(query)), [jobs, query]);
  const operations = useMemo(() => [...new Set(jobs.map((job) => job.operation))].sort(), [jobs]);
  if (jobs.length === 0) {
    return (
      <Paper variant="outlined">
        <Nothing action={<Button href="#/jobs?tab=operations">See what can be run</Button>}>
          No job was run yet.
        </Nothing>
      </Paper>
    );
  }
  const choose = (label: string, name: string, options: readonly (readonly [string, string])[]) => (
    <TextField
      select
      label={label}
      value={options.some(([key]) => key === search.get(name)) ? search.get(name) : ''}
      onChange={(event) => set(name, event.target.value)}
      sx={{ minWidth: 150 }}
    >
      <MenuItem value="">Any</MenuItem>
      {options.map(([key, text]) => (
        <MenuItem key={key} value={key}>
          {text}
        </MenuItem>
      ))}
    </TextField>
  );
  return (
    <Stack spacing={1.5}>
      <Stack
        direction="row"
        role="search"
        aria-label="Jobs"
        sx={{ gap: 1.25, flexWrap: 'wrap', alignItems: 'center' }}
      >
        {choose(
          'State',
          'state',
          STATES.map((state) => [state, said(state)]),
        )}
        {choose(
          'Operation',
          'operation',
          operations.map((name) => [name, name]),
        )}
        <Typography role="status" sx={{ color: 'text.secondary' }}>
          {rows.length === jobs.length
            ? counted(jobs.length, 'job')
            : `${count(rows.length)} of ${counted(jobs.length, 'job')}`}
        </Typography>
      </Stack>
      <Paper variant="outlined" sx={{ overflow: 'hidden' }}>
        {rows.length === 0 ? (
          <Nothing>No job is like that.</Nothing>
        ) : (
          <Grid
            label="Jobs"
            rows={rows}
            columns={COLUMNS}
            id={(job) => job.id}
            name={(job) => job.operation}
            sort={search.get('sort') ?? '-created_at'}
            onSort={(key) => set('sort', key === '-created_at' ? '' : key)}
            height={`min(calc(100vh - 290px), ${60 + 40 * Math.max(6, rows.length)}px)`}
          />
        )}
      </Paper>
    </Stack>
  );
}
