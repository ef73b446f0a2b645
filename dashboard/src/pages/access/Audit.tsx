// Who did what, when, from where, and what came of it; and whether the log of it is whole.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import MenuItem from '@mui/material/MenuItem';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useMemo, useState } from 'react';
import { colonyApi } from '../../api/colony';
import type { Audit as AuditType, AuditLine } from '../../api/types';
import { MONO } from '../../app/theme';
import { counted, moment } from '../../ui/format';
import { Grid, type GridColumn } from '../../ui/Grid';
import { DownloadIcon } from '../../ui/icons';
import { Failure, Loaded, Nothing, Panel, Word } from '../../ui/parts';
import { save } from '../../ui/save';
import { useSearch } from '../../ui/search';
import { checked, noted, sealChecker, type Verdict } from './chain';

const COLUMNS: GridColumn<AuditLine>[] = [
  { key: 'seq', head: 'Line', width: '80px', number: true, cell: (line) => line.seq },
  { key: 'time', head: 'Time', width: '180px', sortable: false, cell: (line) => moment(line.time / 1000) },
  { key: 'actor', head: 'Who', width: 'minmax(110px, 1fr)', sortable: false, cell: (line) => line.actor || line.kind },
  { key: 'source', head: 'From', width: '130px', sortable: false, cell: (line) => line.source || '–' },
  { key: 'action', head: 'What', width: 'minmax(150px, 1fr)', sortable: false, cell: (line) => (line.result === 'refused' ? line.route : line.action) },
  {
    key: 'result', head: 'Result', width: '190px', sortable: false,
    cell: (line) => line.result === 'done' ? <Word tone="success">done</Word> : <Word tone="warning">{`refused ${line.status} ${line.code}${line.count > 1 ? ` ×${line.count}` : ''}`}</Word>,
  },
  { key: 'change', head: 'About', width: 'minmax(240px, 3fr)', sortable: false, cell: (line) => <span title={line.change}>{line.change || line.subject || '–'}</span> },
]; // prettier-ignore

export function Audit() {
  const [search, set] = useSearch();
  const [back, setBack] = useState(1000);
  const ask = {
    who: search.get('who') ?? '',
    what: search.get('what') ?? '',
    result: search.get('result') ?? '',
    back,
  };
  const audit = colonyApi.useAuditQuery(ask);
  const [draft, setDraft] = useState({ who: ask.who, what: ask.what });
  return (
    <Stack spacing={2}>
      <Verify />
      <Stack
        direction="row"
        component="form"
        role="search"
        aria-label="Audit log"
        sx={{ gap: 1.25, flexWrap: 'wrap', alignItems: 'center' }}
        onSubmit={(event: React.SyntheticEvent) => {
          event.preventDefault();
          set('who', draft.who.trim());
          set('what', draft.what.trim());
        }}
      >
        <TextField
          label="Who"
          value={draft.who}
          onChange={(event) => setDraft({ ...draft, who: event.target.value })}
        />
        <TextField
          label="What begins with"
          placeholder="put-spec, PUT /v1/spec"
          value={draft.what}
          onChange={(event) => setDraft({ ...draft, what: event.target.value })}
          sx={{ width: 220 }}
        />
        <TextField
          select
          label="Result"
          value={ask.result}
          onChange={(event) => set('result', event.target.value)}
          sx={{ minWidth: 120 }}
        >
          <MenuItem value="">Any</MenuItem>
          <MenuItem value="done">done</MenuItem>
          <MenuItem value="refused">refused</MenuItem>
        </TextField>
        <Button type="submit" variant="outlined">
          Find
        </Button>
        <Button color="inherit" loading={audit.isFetching} onClick={() => void audit.refetch()}>
          Read again
        </Button>
      </Stack>
      <Loaded of={audit} rows={8}>
        {(data) => <Lines audit={data} back={back} more={() => setBack(back * 4)} />}
      </Loaded>
    </Stack>
  );
}

function Lines({ audit, back, more }: { audit: AuditType; back: number; more: () => void }) {
  const [search, set] = useSearch();
  const sort = search.get('order') ?? '-seq';
  const rows = useMemo(
    () => (sort.startsWith('-') ? [...audit.lines].reverse() : audit.lines),
    [audit.lines, sort],
  );
  const whole = back >= audit.head.seq - audit.first;
  return (
    <Stack spacing={1}>
      <Stack direction="row" sx={{ alignItems: 'center', gap: 2 }}>
        <Typography role="status" sx={{ color: 'text.secondary' }}>
          {counted(rows.length, 'line')} of the newest {Math.min(back, audit.head.seq)}
        </Typography>
        {whole ? (
          <Box sx={{ color: 'text.secondary' }}>
            {audit.first > 1
              ? `Lines before ${audit.first} are in the members’ archives.`
              : 'This is the whole log.'}
          </Box>
        ) : (
          <Button onClick={more}>Look further back</Button>
        )}
      </Stack>
      <Paper variant="outlined" sx={{ overflow: 'hidden' }}>
        {rows.length === 0 ? (
          <Nothing>No line is like that.</Nothing>
        ) : (
          <Grid
            label="Audit log"
            rows={rows}
            columns={COLUMNS}
            id={(line) => String(line.seq)}
            name={(line) => `line ${line.seq}`}
            sort={sort}
            onSort={(key) => set('order', key === '-seq' ? '' : key)}
            height="calc(100vh - 420px)"
          />
        )}
      </Paper>
    </Stack>
  );
}

/** All lines that etcd holds, checked in this browser: the gateway's word alone would prove nothing. */
function Verify() {
  const [read] = colonyApi.useLazyAuditQuery();
  const [head, setHead] = useState('');
  const [busy, setBusy] = useState(false);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [error, setError] = useState<unknown>(undefined);
  const anchor = noted(head);
  const all = () => read({ who: '', what: '', result: '', back: Number.MAX_SAFE_INTEGER }).unwrap();
  const verify = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { lines, keys } = await all();
      setVerdict(await checked(lines, await sealChecker(keys), anchor));
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const take = async () => {
    const { lines } = await all();
    save('audit.jsonl', 'application/jsonl', lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  };
  return (
    <Panel
      title="Is it whole?"
      aside={
        <Button startIcon={<DownloadIcon />} color="inherit" onClick={() => void take()}>
          Export
        </Button>
      }
    >
      <Stack spacing={1.5}>
        <Stack direction="row" sx={{ gap: 1.25, flexWrap: 'wrap', alignItems: 'flex-start' }}>
          <TextField
            label="Head noted earlier"
            value={head}
            onChange={(event) => setHead(event.target.value)}
            error={head !== '' && anchor === null}
            helperText={
              head !== '' && anchor === null
                ? 'A line’s number, a colon and its hash.'
                : 'With one it shows whether the newest lines were cut off.'
            }
            sx={{ flexGrow: 1, maxWidth: 560 }}
            slotProps={{ htmlInput: { spellCheck: false, style: { fontFamily: MONO } } }}
          />
          <Button
            variant="contained"
            loading={busy}
            disabled={head !== '' && anchor === null}
            onClick={() => void verify()}
            sx={{ mt: 0.5 }}
          >
            Verify
          </Button>
        </Stack>
        {error !== undefined && <Failure error={error} />}
        {verdict && <Found verdict={verdict} />}
      </Stack>
    </Panel>
  );
}

function Found({ verdict }: { verdict: Verdict }) {
  const { faults, head } = verdict;
  return (
    <Alert severity={faults.length === 0 ? 'success' : 'error'} data-testid="verdict">
      {faults.length === 0
        ? `${counted(verdict.lines, 'line')}, ${verdict.first} to ${head.seq}: none was changed, left out or moved.`
        : `The log is not whole: ${counted(faults.length, 'fault')}.`}{' '}
      {verdict.sealed === null
        ? 'This browser cannot check seals.'
        : `${counted(verdict.sealed, 'seal')} of the colony.`}
      {faults.length > 0 && (
        <Box component="ul" sx={{ m: 0, pl: 2.5 }}>
          {faults.slice(0, 20).map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </Box>
      )}
      <Box sx={{ mt: 0.5, overflowWrap: 'anywhere' }}>
        Note this elsewhere, for the next time: <code>{`${head.seq}:${head.hash}`}</code>
      </Box>
    </Alert>
  );
}
