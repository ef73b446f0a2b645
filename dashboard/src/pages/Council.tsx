// Who carries the colony: the members of etcd, the line of succession, and why the election did what it did.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Link from '@mui/material/Link';
import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useState } from 'react';
import { colonyApi } from '../api/colony';
import type { Council as CouncilType, Election, Node } from '../api/types';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Code } from '../ui/Code';
import { Confirm, type Question } from '../ui/confirm';
import { clock } from '../ui/format';
import { Facts, Loaded, Page, Panel, Rows, Tag, Word } from '../ui/parts';

export default function Council() {
  const members = colonyApi.useMembersQuery(undefined, { pollingInterval: 10_000 });
  const election = colonyApi.useElectionQuery(undefined, { pollingInterval: 5000 });
  const nodes = colonyApi.useNodesQuery();
  const role = useAppSelector((state) => state.session.current?.role);
  const [question, setQuestion] = useState<Question | null>(null);
  const admin = holds(role, 'admin');
  return (
    <Page
      title="Council"
      lead="The nodes that run etcd, hold the colony's secret and may reign."
      aside={admin && <Reign nodes={nodes.data?.nodes ?? []} ask={setQuestion} />}
    >
      <Loaded of={members}>
        {(data) => (
          <Members council={data} nodes={nodes.data?.nodes ?? []} ask={admin ? setQuestion : undefined} />
        )}
      </Loaded>
      <Box
        sx={{
          display: 'grid',
          gap: 2,
          gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'repeat(2, minmax(0, 1fr))' },
          alignItems: 'start',
        }}
      >
        <Panel title="Election">
          <Loaded of={election}>{(data) => <Explained election={data} />}</Loaded>
        </Panel>
        <Panel title="When a majority is lost for good">
          <Guidance />
        </Panel>
      </Box>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Page>
  );
}

type Asker = (question: Question) => void;

function Reign({ nodes, ask }: { nodes: readonly Node[]; ask: Asker }) {
  const [stepDown] = colonyApi.useStepDownMutation();
  const [transfer] = colonyApi.useTransferMutation();
  const queen = nodes.find((node) => node.role === 'queen');
  const heirs = nodes.filter((node) => node.candidate && node.status === 'ready' && node.role !== 'queen');
  return (
    <Stack direction="row" spacing={1}>
      <Button
        variant="outlined"
        disabled={!queen || heirs.length === 0}
        onClick={() =>
          ask({
            title: `Shall ${queen?.name ?? 'the queen'} step down?`,
            text: 'The heir reigns at once; no request fails.',
            verb: 'Step down',
            act: async (key) => {
              const { from, to } = await stepDown({ key }).unwrap();
              return `${from.name} hands over${to ? ` to ${to.name}` : ''}.`;
            },
          })
        }
      >
        Step down
      </Button>
      <Choice
        label="Hand over to"
        options={heirs}
        choose={(node) =>
          ask({
            title: `Shall ${node.name} be the next queen?`,
            text: `${queen?.name ?? 'The queen'} hands over to it.`,
            verb: 'Hand over',
            act: async (key) => {
              const { from } = await transfer({ node: node.id, key }).unwrap();
              return `${from.name} hands over to ${node.name}.`;
            },
          })
        }
      />
    </Stack>
  );
}

function Choice({
  label,
  options,
  choose,
}: {
  label: string;
  options: readonly Node[];
  choose: (node: Node) => void;
}) {
  return (
    <TextField
      select
      label={label}
      value=""
      disabled={options.length === 0}
      sx={{ minWidth: 150 }}
      onChange={(event) => {
        const node = options.find((one) => one.id === event.target.value);
        if (node) choose(node);
      }}
    >
      {options.map((node) => (
        <MenuItem key={node.id} value={node.id}>
          {node.name}
        </MenuItem>
      ))}
    </TextField>
  );
}

function Members({
  council,
  nodes,
  ask,
}: {
  council: CouncilType;
  nodes: readonly Node[];
  ask: Asker | undefined;
}) {
  const [move] = colonyApi.useMoveSeatMutation();
  const seats = new Set(council.members.map((seat) => seat.node));
  const others = nodes.filter(
    (node) => node.eligible && node.status === 'ready' && !node.cordoned && !seats.has(node.id),
  );
  const wanted = council.wanted?.size;
  return (
    <Panel
      title={
        wanted ? `${council.members.length} of ${wanted} seats` : `${council.members.length} members of etcd`
      }
      flush
    >
      {council.trouble !== '' && (
        <Alert severity="warning" sx={{ mx: 2, mb: 1 }}>
          {council.trouble}
        </Alert>
      )}
      {council.message !== '' && (
        <Typography sx={{ px: 2, pb: 1, color: 'text.secondary' }}>{council.message}</Typography>
      )}
      <Rows
        label="Members of etcd"
        rows={council.members}
        id={(seat) => seat.member}
        empty="The queen has not looked yet."
        columns={[
          { head: 'Member', cell: (seat) => seat.node ? <Link href={`#/nodes/${seat.node}`} sx={{ fontWeight: 600 }}>{seat.name}</Link> : seat.name },
          { head: 'Health', cell: (seat) => <Word tone={seat.healthy ? 'success' : 'error'}>{seat.healthy ? 'answers' : 'silent'}</Word> },
          { head: 'Votes', cell: (seat) => (seat.learner ? 'no, it learns' : 'yes') },
          { head: 'etcd', cell: (seat) => (seat.leads ? <Tag tone="primary">leader</Tag> : 'follower') },
          { head: 'Part in the colony', cell: (seat) => nodes.find((node) => node.id === seat.node)?.role ?? '–' },
          { head: 'Endpoint', cell: (seat) => seat.endpoint || 'not started' },
          ...(ask && others.length > 0 && council.wanted
            ? [{
                head: 'Actions', unseen: true,
                cell: (seat: CouncilType['members'][number]) => (
                  <Choice
                    label="Move seat to"
                    options={others}
                    choose={(target) => ask({
                      title: `Move the seat of ${seat.name} to ${target.name}?`,
                      text: `${target.name} copies etcd's data and votes; then ${seat.name} gives its seat up.`,
                      verb: 'Move',
                      act: async (key) => {
                        await move({ from: seat.node, to: target.id, key }).unwrap();
                        return `${target.name} takes the seat of ${seat.name}; the list of members tells how far that is.`;
                      },
                    })}
                  />
                ),
              }]
            : []),
        ]} // prettier-ignore
      />
    </Panel>
  );
}

function Explained({ election }: { election: Election }) {
  return (
    <Stack spacing={2}>
      <Facts
        of={[
          ['Told by', `${election.name}, ${election.phase}`],
          ['Queen', election.queen ? `${election.queen} in term ${election.term}` : 'none'],
          ['Succession', election.line.join(', then ') || 'nobody could follow'],
          ['Suspicion', election.suspects ? `${election.name} suspects her: ${election.suspects_because}` : election.suspected_by.length > 0 ? `by ${election.suspected_by.join(', ')}` : 'none'],
          ['Last heard of her', election.silent_s === null ? '–' : `${election.silent_s.toFixed(2)} s ago, patience ${election.patience_s.toFixed(1)} s`],
        ]} // prettier-ignore
      />
      <Box component="ul" sx={{ m: 0, pl: 2.5 }}>
        {election.sentences.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </Box>
      <Typography variant="h3">Its last decisions</Typography>
      <Rows
        label="Decisions"
        rows={election.decisions.slice(-12).reverse()}
        id={(one) => `${one.machine} ${one.age_s} ${one.happened} ${one.decided}`}
        empty="None yet."
        columns={[
          { head: 'When', cell: (one) => clock(election.at - one.age_s) },
          { head: 'What had happened', cell: (one) => one.happened },
          { head: 'What it decided', cell: (one) => one.decided },
        ]}
      />
    </Stack>
  );
}

/** What can only be done on the hosts themselves, because no gateway can write then. */
function Guidance() {
  return (
    <Stack spacing={1.5}>
      <Typography>
        While a majority of the members is away, nobody is elected and nothing is written; this page goes on
        showing what it read last. Members that come back carry on by themselves: wait for them first.
      </Typography>
      <Typography>If they never will, on a host of a member that is left:</Typography>
      <Code label="Commands">
        {
          'aware council survey     # who answers, and who knows most\naware council recover    # this member goes on alone'
        }
      </Code>
      <Typography sx={{ color: 'text.secondary' }}>
        Run the second only on the member that knows most, with its agent stopped. What the lost members alone
        had acknowledged is gone; a backup may have it.
      </Typography>
    </Stack>
  );
}
