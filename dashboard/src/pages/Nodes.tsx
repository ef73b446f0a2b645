// All nodes: found, sorted, chosen, and cordoned or opened many at once. What is shown is in the address.

import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Checkbox from '@mui/material/Checkbox';
import InputAdornment from '@mui/material/InputAdornment';
import ListItemText from '@mui/material/ListItemText';
import Menu from '@mui/material/Menu';
import MenuItem from '@mui/material/MenuItem';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { colonyApi } from '../api/colony';
import { isProblem, type Node } from '../api/types';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Confirm, type Question } from '../ui/confirm';
import { count, counted } from '../ui/format';
import { Grid } from '../ui/Grid';
import { ColumnsIcon, SearchIcon } from '../ui/icons';
import { Loaded, Nothing, Page } from '../ui/parts';
import { useSearch } from '../ui/search';
import { COLUMNS, filterOf, lets, sorted, USUAL } from './nodeTable';

export default function Nodes() {
  const nodes = colonyApi.useNodesQuery(undefined, { pollingInterval: 60_000 });
  return (
    <Page title="Nodes">
      <Loaded of={nodes} rows={8}>
        {(data) => <Table nodes={data.nodes} />}
      </Loaded>
    </Page>
  );
}

function Table({ nodes }: { nodes: readonly Node[] }) {
  const [search, set] = useSearch();
  const [, setSearch] = useSearchParams();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const role = useAppSelector((state) => state.session.current?.role);
  const operator = holds(role, 'operator');
  const sort = search.get('sort') ?? 'name';
  const query = search.toString();
  const rows = useMemo(() => {
    const filter = filterOf(new URLSearchParams(query));
    return sorted(nodes.filter(lets(filter)), sort);
  }, [nodes, query, sort]);
  const shown = search.get('cols')?.split(',') ?? USUAL;
  const columns = COLUMNS.filter((column) => column.key === 'name' || shown.includes(column.key));
  // Who is out of sight is not acted upon.
  const chosen = rows.filter((node) => selected.has(node.id));
  return (
    <Stack spacing={1.5}>
      <Filters nodes={nodes} search={search} set={set} columns={shown} />
      <Stack direction="row" sx={{ alignItems: 'center', gap: 1.5, minHeight: 34, flexWrap: 'wrap' }}>
        <Typography role="status" sx={{ color: 'text.secondary', flexGrow: 1 }}>
          {rows.length === nodes.length
            ? counted(nodes.length, 'node')
            : `${count(rows.length)} of ${counted(nodes.length, 'node')}`}
          {chosen.length > 0 ? `, ${count(chosen.length)} selected` : ''}
        </Typography>
        {operator && <Bulk nodes={chosen} done={() => setSelected(new Set())} />}
      </Stack>
      <Paper variant="outlined" sx={{ overflow: 'hidden' }}>
        {rows.length === 0 ? (
          <Nothing
            action={
              nodes.length > 0 ? (
                <Button onClick={() => setSearch({}, { replace: true })}>Show all nodes</Button>
              ) : undefined
            }
          >
            {nodes.length === 0
              ? 'No node has joined yet. Make a join token under Access.'
              : 'No node is like that.'}
          </Nothing>
        ) : (
          <Grid
            label="Nodes"
            rows={rows}
            columns={columns}
            id={(node) => node.id}
            name={(node) => node.name}
            sort={sort}
            onSort={(key) => set('sort', key === 'name' ? '' : key)}
            height="calc(100vh - 268px)"
            {...(operator ? { selected, onSelect: setSelected } : {})}
          />
        )}
      </Paper>
    </Stack>
  );
}

const STATUSES = ['ready', 'suspect', 'dead', 'left', 'away'];

function Filters({
  nodes,
  search,
  set,
  columns,
}: {
  nodes: readonly Node[];
  search: URLSearchParams;
  set: (name: string, value: string) => void;
  columns: readonly string[];
}) {
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const filter = filterOf(search);
  const castes = useMemo(() => [...new Set(nodes.map((node) => node.caste))].sort(), [nodes]);
  const zones = useMemo(() => [...new Set(nodes.map((node) => node.capabilities.zone))].sort(), [nodes]);
  const choose = (
    label: string,
    name: string,
    value: string,
    options: readonly (readonly [string, string])[],
  ) => (
    <TextField
      select
      label={label}
      value={options.some(([key]) => key === value) ? value : ''}
      onChange={(event) => set(name, event.target.value)}
      sx={{ minWidth: 120 }}
      slotProps={{ select: { displayEmpty: false } }}
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
    <Stack
      direction="row"
      role="search"
      aria-label="Nodes"
      sx={{ gap: 1.25, flexWrap: 'wrap', alignItems: 'center' }}
    >
      <TextField
        label="Name, address or id"
        value={filter.text}
        onChange={(event) => set('q', event.target.value)}
        sx={{ flexGrow: 1, minWidth: 190, maxWidth: 340 }}
        slotProps={{
          input: {
            startAdornment: (
              <InputAdornment position="start">
                <SearchIcon fontSize="small" />
              </InputAdornment>
            ),
          },
        }}
      />
      {choose(
        'Status',
        'status',
        filter.status.join(','),
        STATUSES.map((status) => [status, status]),
      )}
      {choose(
        'Caste',
        'caste',
        filter.caste,
        castes.map((caste) => [caste, caste]),
      )}
      {zones.length > 1 &&
        choose(
          'Zone',
          'zone',
          filter.zone ?? '',
          zones.filter(Boolean).map((zone) => [zone, zone]),
        )}
      {choose('Cordoned', 'cordoned', filter.cordoned, [
        ['yes', 'cordoned'],
        ['no', 'open'],
      ])}
      <TextField
        label="Label"
        placeholder="rack=7"
        value={filter.label}
        onChange={(event) => set('label', event.target.value)}
        sx={{ width: 130 }}
      />
      <Button
        startIcon={<ColumnsIcon />}
        color="inherit"
        onClick={(event) => setAnchor(event.currentTarget)}
        aria-haspopup="menu"
      >
        Columns
      </Button>
      <Menu anchorEl={anchor} open={anchor !== null} onClose={() => setAnchor(null)}>
        {COLUMNS.filter(({ key }) => key !== 'name').map(({ key, head }) => (
          <MenuItem
            key={key}
            dense
            role="menuitemcheckbox"
            aria-checked={columns.includes(key)}
            onClick={() => {
              const next = columns.includes(key) ? columns.filter((one) => one !== key) : [...columns, key];
              set(
                'cols',
                COLUMNS.map((column) => column.key)
                  .filter((one) => one === 'name' || next.includes(one))
                  .join(','),
              );
            }}
          >
            <Checkbox
              size="small"
              checked={columns.includes(key)}
              tabIndex={-1}
              aria-hidden
              sx={{ p: 0, mr: 1 }}
              slotProps={{ input: { tabIndex: -1, 'aria-hidden': true } }}
            />
            <ListItemText primary={head} />
          </MenuItem>
        ))}
      </Menu>
    </Stack>
  );
}

/** Cordon or open what is chosen: a few at once, and each that refuses is named. */
function Bulk({ nodes, done }: { nodes: readonly Node[]; done: () => void }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [change] = colonyApi.useChangeNodeMutation();
  const ask = (cordoned: boolean) => {
    const todo = nodes.filter((node) => node.cordoned !== cordoned || (!cordoned && node.drained));
    setQuestion({
      title: `${cordoned ? 'Cordon' : 'Open'} ${counted(todo.length, 'node')}?`,
      text: cordoned ? 'They keep the work they have, and get no new.' : 'They may be given work again.',
      verb: cordoned ? 'Cordon' : 'Open',
      act: async (key) => {
        const failed = await each(todo, 6, async (node) => {
          await change({ node: node.id, patch: { cordoned }, key: `${key}-${node.id}` }).unwrap();
        });
        if (failed.length > 0)
          throw new Error(`${counted(failed.length, 'node')} refused: ${failed.slice(0, 3).join('; ')}`);
        done();
        return `${counted(todo.length, 'node')} ${cordoned ? 'cordoned' : 'open for work again'}.`;
      },
    });
  };
  return (
    <Box sx={{ display: 'flex', gap: 1 }}>
      <Button variant="outlined" disabled={!nodes.some((node) => !node.cordoned)} onClick={() => ask(true)}>
        Cordon
      </Button>
      <Button variant="outlined" disabled={!nodes.some((node) => node.cordoned)} onClick={() => ask(false)}>
        Open
      </Button>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Box>
  );
}

/** ``work`` for all items, ``width`` at a time; returns why some failed. */
export async function each(
  items: readonly Node[],
  width: number,
  work: (node: Node) => Promise<void>,
): Promise<string[]> {
  const failed: string[] = [];
  const left = [...items];
  const one = async () => {
    for (let node = left.shift(); node !== undefined; node = left.shift()) {
      try {
        await work(node);
      } catch (error) {
        failed.push(`${node.name}: ${isProblem(error) ? error.detail : 'it was not done'}`);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return failed;
}
