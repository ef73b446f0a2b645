// What happened and happens: live, found again, and taken away as a file.

import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Dialog from '@mui/material/Dialog';
import DialogActions from '@mui/material/DialogActions';
import DialogContent from '@mui/material/DialogContent';
import DialogTitle from '@mui/material/DialogTitle';
import Link from '@mui/material/Link';
import Menu from '@mui/material/Menu';
import MenuItem from '@mui/material/MenuItem';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useMemo, useState } from 'react';
import { colonyApi } from '../api/colony';
import type { ColonyEvent } from '../api/types';
import { older } from '../state/colony';
import { useAppDispatch, useAppSelector } from '../state/store';
import { Code } from '../ui/Code';
import { count, counted, moment } from '../ui/format';
import { Grid, type GridColumn } from '../ui/Grid';
import { DownloadIcon, PauseIcon, PlayIcon } from '../ui/icons';
import { Facts, Nothing, Page, SEVERITY, Word } from '../ui/parts';
import { save } from '../ui/save';
import { useSearch } from '../ui/search';

const SEVERITIES = ['info', 'notice', 'warning', 'error'] as const;

export function matching(events: readonly ColonyEvent[], search: URLSearchParams): ColonyEvent[] {
  const text = (search.get('q') ?? '').toLowerCase();
  const type = search.get('type') ?? '';
  const least = SEVERITIES.indexOf((search.get('severity') ?? 'info') as (typeof SEVERITIES)[number]);
  const subject = search.get('subject') ?? '';
  return events.filter(
    (event) =>
      event.type.startsWith(type) &&
      SEVERITIES.indexOf(event.severity) >= least &&
      (subject === '' || event.subject === subject) &&
      (text === '' ||
        `${event.message} ${event.actor} ${event.type} ${event.subject}`.toLowerCase().includes(text)),
  );
}

/** One event a line, as JSON. */
export function asJsonLines(events: readonly ColonyEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

/** RFC 4180; a cell that a spreadsheet would take for a formula is one for nobody. */
export function asCsv(events: readonly ColonyEvent[]): string {
  const cell = (value: string | number) => {
    const text = /^[=+\-@\t\r]/.test(String(value)) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const rows = events.map((event) => [
    event.revision,
    new Date(event.time * 1000).toISOString(),
    event.severity,
    event.type,
    event.subject,
    event.actor,
    event.term,
    event.message,
  ]);
  const head = ['revision', 'time', 'severity', 'type', 'subject', 'actor', 'term', 'message'];
  return [head, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

export default function Events() {
  const events = useAppSelector((state) => state.colony.events);
  const [frozen, setFrozen] = useState<readonly ColonyEvent[] | null>(null);
  const shown = frozen ?? events;
  const waiting = frozen === null ? 0 : events.length - frozen.length;
  return (
    <Page
      title="Events"
      aside={
        <Stack direction="row" spacing={1}>
          <Button
            variant="outlined"
            color="inherit"
            startIcon={frozen === null ? <PauseIcon /> : <PlayIcon />}
            onClick={() => setFrozen(frozen === null ? events : null)}
          >
            {frozen === null ? 'Pause' : waiting > 0 ? `Go on (${count(waiting)} new)` : 'Go on'}
          </Button>
        </Stack>
      }
    >
      <List events={shown} />
    </Page>
  );
}

export function List({ events, subject }: { events: readonly ColonyEvent[]; subject?: string }) {
  const [search, set] = useSearch();
  const [open, setOpen] = useState<ColonyEvent | null>(null);
  const nodes = colonyApi.useNodesQuery().data?.nodes;
  const names = useMemo(() => new Map(nodes?.map((node) => [node.id, node.name])), [nodes]);
  const query = search.toString();
  const sort = search.get('order') ?? '-revision';
  const rows = useMemo(() => {
    const params = new URLSearchParams(query);
    if (subject !== undefined) params.set('subject', subject);
    const found = matching(events, params);
    return sort.startsWith('-') ? found.reverse() : found;
  }, [events, query, subject, sort]);
  const columns: GridColumn<ColonyEvent>[] = [
    { key: 'revision', head: 'Time', width: '190px', cell: (event) => moment(event.time) },
    { key: 'severity', head: 'Severity', width: '100px', sortable: false, cell: (event) => <Word tone={SEVERITY[event.severity]}>{event.severity}</Word> },
    {
      key: 'message', head: 'What happened', width: 'minmax(260px, 3fr)', sortable: false,
      cell: (event) => (
        <Box component="button" type="button" onClick={() => setOpen(event)} sx={{ all: 'unset', cursor: 'pointer', display: 'block', maxWidth: '100%', overflow: 'hidden', textOverflow: 'ellipsis', '&:hover': { textDecoration: 'underline' }, '&:focus-visible': { outline: '2px solid', outlineColor: 'primary.main' } }}>
          {event.message}
        </Box>
      ),
    },
    { key: 'type', head: 'Type', width: 'minmax(140px, 1fr)', sortable: false, cell: (event) => event.type },
    { key: 'actor', head: 'By', width: 'minmax(110px, 1fr)', sortable: false, cell: (event) => names.get(event.actor) ?? event.actor },
    { key: 'number', head: 'Revision', width: '90px', number: true, sortable: false, cell: (event) => event.revision },
  ]; // prettier-ignore
  return (
    <Stack spacing={1.5}>
      <Stack
        direction="row"
        role="search"
        aria-label="Events"
        sx={{ gap: 1.25, flexWrap: 'wrap', alignItems: 'center' }}
      >
        <TextField
          label="Text"
          value={search.get('q') ?? ''}
          onChange={(event) => set('q', event.target.value)}
          sx={{ flexGrow: 1, minWidth: 180, maxWidth: 340 }}
        />
        <TextField
          label="Type begins with"
          placeholder="node."
          value={search.get('type') ?? ''}
          onChange={(event) => set('type', event.target.value)}
          sx={{ width: 170 }}
        />
        <TextField
          select
          label="At least"
          value={search.get('severity') ?? 'info'}
          onChange={(event) => set('severity', event.target.value === 'info' ? '' : event.target.value)}
          sx={{ minWidth: 120 }}
        >
          {SEVERITIES.map((severity) => (
            <MenuItem key={severity} value={severity}>
              {severity}
            </MenuItem>
          ))}
        </TextField>
        <Export rows={rows} />
      </Stack>
      <Stack direction="row" sx={{ alignItems: 'center', gap: 2 }}>
        <Typography role="status" sx={{ color: 'text.secondary' }}>
          {counted(rows.length, 'event')}
          {rows.length === events.length ? '' : ` of ${count(events.length)}`}
        </Typography>
        <Older first={events[0]?.revision ?? 0} />
      </Stack>
      <Paper variant="outlined" sx={{ overflow: 'hidden' }}>
        {rows.length === 0 ? (
          <Nothing>No event is like that.</Nothing>
        ) : (
          <Grid
            label="Events"
            rows={rows}
            columns={columns}
            id={(event) => event.id}
            name={(event) => event.message}
            sort={sort}
            onSort={(key) => set('order', key === '-revision' ? '' : key)}
            height="calc(100vh - 275px)"
          />
        )}
      </Paper>
      {open && <Details event={open} names={names} close={() => setOpen(null)} />}
    </Stack>
  );
}

function Export({ rows }: { rows: readonly ColonyEvent[] }) {
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const as = (name: string, type: string, text: string) => {
    save(name, type, text);
    setAnchor(null);
  };
  return (
    <>
      <Button
        startIcon={<DownloadIcon />}
        color="inherit"
        aria-haspopup="menu"
        onClick={(event) => setAnchor(event.currentTarget)}
      >
        Export
      </Button>
      <Menu anchorEl={anchor} open={anchor !== null} onClose={() => setAnchor(null)}>
        <MenuItem onClick={() => as('events.jsonl', 'application/jsonl', asJsonLines(rows))}>
          JSON Lines
        </MenuItem>
        <MenuItem onClick={() => as('events.csv', 'text/csv', asCsv(rows))}>CSV</MenuItem>
      </Menu>
    </>
  );
}

/** Goes back in history by what was asked to be seen. */
function Older({ first }: { first: number }) {
  const complete = useAppSelector((state) => state.colony.complete);
  const dispatch = useAppDispatch();
  const [read, { isFetching }] = colonyApi.useLazyEventsQuery();
  const [back, setBack] = useState(4000);
  if (complete || first === 0) return <Box sx={{ color: 'text.secondary' }}>This is all that is kept.</Box>;
  const load = async () => {
    const since = Math.max(0, first - back);
    const found: ColonyEvent[] = [];
    let oldest = 0;
    // Page by page up to what is known already: no hole is left in between.
    for (let from = since; ; from = found[found.length - 1]?.revision ?? first) {
      const { data } = await read({ since: from, limit: 1000 });
      if (data === undefined) return;
      oldest = data.oldest;
      found.push(...(data.events as ColonyEvent[]).filter((event) => event.revision < first));
      if (!data.more || (data.events[data.events.length - 1]?.revision ?? first) >= first) break;
    }
    dispatch(older({ events: found, complete: since === 0 || since < oldest }));
    setBack(Math.min(64_000, back * 2));
  };
  return (
    <Button loading={isFetching} onClick={() => void load()}>
      Load older
    </Button>
  );
}

function Details({
  event,
  names,
  close,
}: {
  event: ColonyEvent;
  names: Map<string, string>;
  close: () => void;
}) {
  const who = (id: string) => (names.has(id) ? <Link href={`#/nodes/${id}`}>{names.get(id)}</Link> : id);
  return (
    <Dialog open onClose={close} maxWidth="md" fullWidth aria-labelledby="event-title">
      <DialogTitle id="event-title">{event.message}</DialogTitle>
      <DialogContent>
        <Stack spacing={2}>
          <Facts
            of={[
              ['Type', event.type],
              ['When', moment(event.time)],
              ['Severity', <Word key="severity" tone={SEVERITY[event.severity]}>{event.severity}</Word>],
              ['About', who(event.subject)],
              ['By', who(event.actor)],
              ['Term', event.term],
              ['Revision', event.revision],
            ]} // prettier-ignore
          />
          <Code label="What else was written">{JSON.stringify(event.payload, null, 2)}</Code>
        </Stack>
      </DialogContent>
      <DialogActions>
        <Button onClick={close}>Close</Button>
      </DialogActions>
    </Dialog>
  );
}
