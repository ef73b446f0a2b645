// The colony at a glance: who reigns, who carries it, who works, and what happened last.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import LinearProgress from '@mui/material/LinearProgress';
import Link from '@mui/material/Link';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import ToggleButton from '@mui/material/ToggleButton';
import ToggleButtonGroup from '@mui/material/ToggleButtonGroup';
import Typography from '@mui/material/Typography';
import { useMemo, type ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { colonyApi } from '../api/colony';
import type { Cluster, ColonyEvent, Node, Status } from '../api/types';
import { useAppSelector } from '../state/store';
import { arranged, Comb, pitchFor } from '../ui/Comb';
import { EventLine } from '../ui/EventLine';
import { Flower } from '../ui/Flower';
import { clock, count, counted } from '../ui/format';
import { Ago, Figure, Loaded, Nothing, Page, Panel, Word, type Tone } from '../ui/parts';

export const HEALTH: Record<Cluster['status'], Tone> = {
  healthy: 'success',
  forming: 'warning',
  degraded: 'error',
};
const COMB_WIDTH = 760;
const COMB_HEIGHT = 250;

export default function Colony() {
  const cluster = colonyApi.useClusterQuery();
  return (
    <Page title="Colony">
      <Loaded of={cluster}>{(data) => <Overview cluster={data} />}</Loaded>
    </Page>
  );
}

function Overview({ cluster }: { cluster: Cluster }) {
  return (
    <Stack spacing={2}>
      <Figures cluster={cluster} />
      <Box
        sx={{
          display: 'grid',
          gap: 2,
          gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'minmax(320px, 5fr) minmax(0, 8fr)' },
          alignItems: 'start',
        }}
      >
        <Stack spacing={2}>
          <CouncilPanel />
          <Castes castes={cluster.castes} />
        </Stack>
        <Stack spacing={2} sx={{ minWidth: 0 }}>
          <Workers castes={cluster.castes} />
          <Recent />
        </Stack>
      </Box>
    </Stack>
  );
}

function Figures({ cluster }: { cluster: Cluster }) {
  const { size, queen, heir } = cluster;
  const lost = useAppSelector((state) => state.colony.lost);
  const members = colonyApi.useMembersQuery(undefined, { pollingInterval: 15_000 });
  const leader = members.data?.members.find((seat) => seat.leads);
  const trouble = (['suspect', 'dead', 'left', 'away', 'cordoned'] as const).filter((key) => size[key] > 0);
  return (
    <Paper
      variant="outlined"
      sx={{
        p: 2,
        display: 'grid',
        gap: 2.5,
        gridTemplateColumns: 'repeat(auto-fit, minmax(170px, 1fr))',
        alignItems: 'start',
      }}
    >
      <Figure
        label="Health"
        value={<Word tone={HEALTH[cluster.status]}>{cluster.status}</Word>}
        note={cluster.reason}
      />
      <Figure
        label="Queen"
        {...(queen ? {} : { tone: 'warning' as const })}
        value={queen ? queen.name : 'none'}
        note={
          queen ? (
            <>
              term {queen.term}, elected <Ago at={queen.since} />
            </>
          ) : (
            `being elected${lost ? `; ${lost.name} reigned last` : ''}`
          )
        }
      />
      <Figure
        label="Heir"
        value={heir?.name ?? 'none'}
        note={heir ? 'reigns when the queen vanishes' : 'nobody could follow'}
      />
      <Figure
        label="Nodes ready"
        value={
          <>
            {count(size.ready)}
            <Box component="span" sx={{ color: 'text.secondary', fontWeight: 400 }}>
              {' '}
              of {count(Math.max(size.wanted, size.total))}
            </Box>
          </>
        }
        note={
          trouble.length === 0
            ? 'none in trouble'
            : trouble.map((key, place) => (
                <span key={key}>
                  {place > 0 && ', '}
                  <Link href={key === 'cordoned' ? '#/nodes?cordoned=yes' : `#/nodes?status=${key}`}>
                    {count(size[key])} {key}
                  </Link>
                </span>
              ))
        }
      />
      <Figure
        label="etcd leader"
        value={leader?.name ?? '–'}
        note={members.data?.trouble || members.data?.message || 'its members are well'}
      />
    </Paper>
  );
}

function CouncilPanel() {
  const nodes = colonyApi.useNodesQuery(undefined, { pollingInterval: 60_000 });
  const members = colonyApi.useMembersQuery();
  const lost = useAppSelector((state) => state.colony.lost);
  const seats = useMemo(
    () => new Set(members.data?.members.map((seat) => seat.node).filter(Boolean)),
    [members.data],
  );
  const known = useMemo(
    () => nodes.data?.nodes.filter((node) => node.role !== 'worker' || seats.has(node.id)) ?? [],
    [nodes.data, seats],
  );
  const leader = members.data?.members.find((seat) => seat.leads)?.node ?? '';
  return (
    <Panel title="Council" aside={<Link href="#/council">Members and election</Link>}>
      <Loaded of={nodes}>
        {() => (
          <Stack spacing={2}>
            <Flower
              seats={seats}
              members={known}
              leader={leader}
              vacantSince={lost ? `since ${clock(lost.at / 1000)}` : ''}
            />
            <Suspicion />
          </Stack>
        )}
      </Loaded>
    </Panel>
  );
}

/** Whether somebody doubts that the queen lives, as the member tells that answers. */
function Suspicion() {
  const { data } = colonyApi.useElectionQuery(undefined, { pollingInterval: 5000 });
  if (data === undefined) return null;
  const doubts = [...data.suspected_by, ...(data.suspects ? [data.name] : [])];
  const who = [...new Set(doubts)];
  return who.length === 0 ? (
    <Typography variant="body2" sx={{ color: 'text.secondary', textAlign: 'center' }}>
      No member suspects the queen.
    </Typography>
  ) : (
    <Alert severity="warning">
      {who.join(', ')} {who.length === 1 ? 'suspects' : 'suspect'} the queen
      {data.suspects_because ? `: ${data.suspects_because}` : ''}.
    </Alert>
  );
}

const STATUSES: readonly (readonly [Status, Tone])[] = [
  ['ready', 'success'], ['suspect', 'warning'], ['dead', 'error'], ['left', 'default'], ['away', 'default'],
]; // prettier-ignore

function Workers({ castes }: { castes: Cluster['castes'] }) {
  const nodes = colonyApi.useNodesQuery();
  const [search, setSearch] = useSearchParams();
  const navigate = useNavigate();
  const by = search.get('by') === 'zone' ? 'zone' : 'caste';
  const groups = useMemo(() => grouped(nodes.data?.nodes ?? [], by), [nodes.data, by]);
  const total = nodes.data?.nodes.length ?? 0;
  const pitch = pitchFor(total, COMB_WIDTH, COMB_HEIGHT);
  const missing = new Map(castes.map((caste) => [caste.name, caste.missing]));
  return (
    <Panel
      title={`The nest: ${counted(total, 'node')}`}
      aside={
        <ToggleButtonGroup
          size="small"
          exclusive
          value={by}
          aria-label="Group nodes by"
          onChange={(_, chosen: string | null) => {
            if (chosen !== null) setSearch(chosen === 'zone' ? { by: 'zone' } : {}, { replace: true });
          }}
        >
          <ToggleButton value="caste" sx={{ py: 0.25 }}>
            Caste
          </ToggleButton>
          <ToggleButton value="zone" sx={{ py: 0.25 }}>
            Zone
          </ToggleButton>
        </ToggleButtonGroup>
      }
    >
      <Loaded of={nodes}>
        {() => (
          <Stack spacing={1.5}>
            {groups.length === 0 && <Nothing>No node has joined yet.</Nothing>}
            {groups.map(({ name, members }) => {
              const lacks = by === 'caste' ? (missing.get(name) ?? 0) : 0;
              const told = STATUSES.filter(([status]) => members.some((node) => node.status === status))
                .map(
                  ([status]) => `${count(members.filter((node) => node.status === status).length)} ${status}`,
                )
                .join(', ');
              return (
                <Box key={name}>
                  <Stack direction="row" sx={{ gap: 1, alignItems: 'baseline', mb: 0.5 }}>
                    <Link href={`#/nodes?${by}=${encodeURIComponent(name)}`} sx={{ fontWeight: 600 }}>
                      {name || 'no zone'}
                    </Link>
                    <Typography variant="body2" sx={{ color: 'text.secondary' }}>
                      {told}
                      {lacks > 0 ? `, ${count(lacks)} missing` : ''}
                    </Typography>
                  </Stack>
                  <Comb
                    nodes={members}
                    pitch={Math.max(pitch, Math.min(16, pitchFor(members.length, COMB_WIDTH, 40)))}
                    label={`${name || 'no zone'}: ${told}`}
                    onOpen={(node) => void navigate(`/nodes/${node.id}`)}
                  />
                </Box>
              );
            })}
            <Legend />
          </Stack>
        )}
      </Loaded>
    </Panel>
  );
}

function Legend() {
  const entry = (color: string, word: string, look: 'full' | 'faint' | 'hollow' = 'full'): ReactNode => (
    <Stack direction="row" component="li" sx={{ alignItems: 'center', gap: 0.75 }}>
      <Box
        component="svg"
        viewBox="-7 -7 14 14"
        aria-hidden
        sx={{ width: 13, height: 13, color, opacity: look === 'faint' ? 0.35 : 1 }}
      >
        <path
          d="M0 -6L5.2 -3V3L0 6L-5.2 3V-3z"
          fill={look === 'hollow' ? 'none' : 'currentColor'}
          stroke="currentColor"
          strokeWidth="1.6"
        />
      </Box>
      {word}
    </Stack>
  );
  return (
    <Stack
      direction="row"
      component="ul"
      aria-label="What colours mean"
      sx={{
        gap: 2,
        flexWrap: 'wrap',
        color: 'text.secondary',
        fontSize: '0.8rem',
        m: 0,
        p: 0,
        listStyle: 'none',
      }}
    >
      {entry('nest.queen', 'ready')}
      {entry('nest.queen', 'cordoned', 'faint')}
      {entry('warning.main', 'suspect', 'hollow')}
      {entry('error.main', 'dead')}
      {entry('divider', 'left')}
      {entry('divider', 'away')}
    </Stack>
  );
}

export function grouped(nodes: readonly Node[], by: 'caste' | 'zone'): { name: string; members: Node[] }[] {
  const groups = new Map<string, Node[]>();
  for (const node of nodes) {
    const name = by === 'caste' ? node.caste : node.capabilities.zone;
    const members = groups.get(name);
    if (members) members.push(node);
    else groups.set(name, [node]);
  }
  return [...groups]
    .map(([name, members]) => ({ name, members: arranged(members) }))
    .sort(
      (one, other) =>
        Number(one.name === 'spare') - Number(other.name === 'spare') || (one.name < other.name ? -1 : 1),
    );
}

function Castes({ castes }: { castes: Cluster['castes'] }) {
  return (
    <Panel title="Castes" aside={<Link href="#/spec">Spec</Link>}>
      {castes.length === 0 ? (
        <Nothing>The spec names no castes: every node is spare.</Nothing>
      ) : (
        <Stack spacing={1.5}>
          {castes.map((caste) => {
            const share =
              caste.wanted === 0 ? 100 : Math.min(100, (100 * caste.assigned.length) / caste.wanted);
            return (
              <Box key={caste.name}>
                <Stack direction="row" sx={{ justifyContent: 'space-between', mb: 0.5 }}>
                  <Link href={`#/nodes?caste=${encodeURIComponent(caste.name)}`} sx={{ fontWeight: 600 }}>
                    {caste.name}
                  </Link>
                  <span>
                    {count(caste.assigned.length)} of {count(caste.wanted)}
                    {caste.missing > 0 && (
                      <Box component="span" sx={{ color: 'warning.main', fontWeight: 600 }}>
                        {' '}
                        · {count(caste.missing)} missing
                      </Box>
                    )}
                  </span>
                </Stack>
                <LinearProgress
                  variant="determinate"
                  value={share}
                  color={caste.missing > 0 ? 'warning' : 'success'}
                  aria-label={`${caste.name}: ${caste.assigned.length} of ${caste.wanted}`}
                  sx={{ height: 6, borderRadius: 3 }}
                />
              </Box>
            );
          })}
        </Stack>
      )}
    </Panel>
  );
}

function Recent() {
  const events = useAppSelector((state) => state.colony.events);
  const last: ColonyEvent[] = events.slice(-9).reverse();
  return (
    <Panel title="What happened" aside={<Link href="#/events">All events</Link>} flush>
      {last.length === 0 ? (
        <Nothing>Nothing yet.</Nothing>
      ) : (
        <Box
          component="ol"
          aria-label="The last events"
          sx={{ listStyle: 'none', m: 0, p: 0, pb: 1 }}
          data-testid="recent"
        >
          {last.map((event) => (
            <li key={event.id}>
              <EventLine event={event} />
            </li>
          ))}
        </Box>
      )}
    </Panel>
  );
}
