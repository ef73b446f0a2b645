// What the colony believes in: its certificate authorities, every node's certificate, and how to change them all.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Checkbox from '@mui/material/Checkbox';
import FormControlLabel from '@mui/material/FormControlLabel';
import Link from '@mui/material/Link';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import { useRef, useState } from 'react';
import { colonyApi } from '../api/colony';
import type { Rotation } from '../api/types';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Confirm, type Question } from '../ui/confirm';
import { counted, until } from '../ui/format';
import { DownloadIcon } from '../ui/icons';
import { Ago, Figure, Loaded, Page, Panel, Rows, Word, type Tone } from '../ui/parts';
import { save } from '../ui/save';

const STANDING: Record<Rotation['nodes'][number]['standing'], Tone> = {
  ready: 'success',
  waiting: 'info',
  silent: 'warning',
  'left-behind': 'error',
};
const PHASE: Record<Rotation['phase'], string> = {
  settled: 'No rotation is under way',
  distributing: 'New authorities and secret go to every node, which believe both',
  switched: 'The new ones sign; the old ones are still believed',
  returning: 'The rotation was aborted: the old ones sign again',
  finishing: 'The old ones are taken back everywhere',
};

export default function Trust() {
  const rotation = colonyApi.useRotationQuery(undefined, { pollingInterval: 10_000 });
  const role = useAppSelector((state) => state.session.current?.role);
  return (
    <Page title="Trust" lead="Certificates of all nodes, and the authorities that sign them.">
      <Loaded of={rotation} rows={6}>
        {(data) => <Overview rotation={data} admin={holds(role, 'security-admin')} />}
      </Loaded>
    </Page>
  );
}

function Overview({ rotation, admin }: { rotation: Rotation; admin: boolean }) {
  const soonest = Math.min(...rotation.nodes.map((node) => node.not_after ?? Infinity));
  const ready = rotation.nodes.filter((node) => node.standing === 'ready').length;
  return (
    <Stack spacing={2}>
      <Paper
        variant="outlined"
        sx={{ p: 2, display: 'grid', gap: 2.5, gridTemplateColumns: 'repeat(auto-fit, minmax(190px, 1fr))' }}
      >
        <Figure label="Rotation" value={rotation.phase} note={PHASE[rotation.phase]} />
        <Figure
          label="Generation that signs"
          value={rotation.generation}
          note={rotation.other ? `${rotation.other} is believed as well` : 'the only one believed'}
        />
        <Figure label="Nodes up to date" value={`${ready} of ${rotation.nodes.length}`} />
        <Figure
          label="First certificate to end"
          value={Number.isFinite(soonest) ? until(soonest) : '–'}
          note="nodes renew theirs by themselves before"
        />
      </Paper>
      {admin && <Orders rotation={rotation} />}
      {rotation.etcd.length > 0 && <Alert severity="warning">{rotation.etcd.join(' ')}</Alert>}
      {rotation.unsealed > 0 && (
        <Alert severity="info">
          {counted(rotation.unsealed, 'value')} still sealed with the other secret.
        </Alert>
      )}
      <Panel title="Nodes" flush>
        <Rows
          label="Certificates of nodes"
          rows={rotation.nodes}
          id={(node) => node.id}
          empty="No node has joined yet."
          columns={[
            {
              head: 'Node',
              cell: (node) => (
                <Link href={`#/nodes/${node.id}`} sx={{ fontWeight: 600 }}>
                  {node.name}
                </Link>
              ),
            },
            { head: 'Standing', cell: (node) => <Word tone={STANDING[node.standing]}>{node.standing}</Word> },
            { head: 'Signed by generation', number: true, cell: (node) => node.signed_by },
            { head: 'Holds', cell: (node) => node.holds.join(', ') || '–' },
            {
              head: 'Certificate ends',
              cell: (node) => (node.not_after === null ? '–' : until(node.not_after)),
            },
            { head: 'Lacks', cell: (node) => node.lacks || 'nothing' },
          ]}
        />
      </Panel>
      <Panel title="Certificate authorities">
        <Stack direction="row" sx={{ gap: 1, flexWrap: 'wrap' }}>
          <Button
            startIcon={<DownloadIcon />}
            variant="outlined"
            onClick={() => save('ca.crt', 'application/x-pem-file', rotation.ca)}
          >
            Node authority (ca.crt)
          </Button>
          <Button
            startIcon={<DownloadIcon />}
            variant="outlined"
            onClick={() => save('council-ca.crt', 'application/x-pem-file', rotation.council_ca)}
          >
            Council authority (council-ca.crt)
          </Button>
        </Stack>
        <Box sx={{ color: 'text.secondary', mt: 1 }}>
          A browser that trusts the first goes on with another member without a warning when this one falls.
        </Box>
      </Panel>
    </Stack>
  );
}

function Orders({ rotation }: { rotation: Rotation }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [rotate] = colonyApi.useRotateMutation();
  const hold = useRef(false);
  const keepCa = useRef(false);
  const idle = rotation.phase === 'settled';
  const start = () => {
    hold.current = false;
    keepCa.current = false;
    setQuestion({
      title: 'Rotate authorities and secret?',
      text: 'Every node gets new ones while it works on. Nodes that are away stay behind and have to join again.',
      verb: 'Rotate',
      danger: true,
      fields: (
        <Stack>
          <Check label="Wait for my word before each step" set={(on) => (hold.current = on)} />
          <Check label="Keep the authorities, change the secret only" set={(on) => (keepCa.current = on)} />
        </Stack>
      ),
      act: async (key) => {
        await rotate({ action: 'start', hold: hold.current, keepCa: keepCa.current, key }).unwrap();
        return 'The rotation has begun; this page tells how far every node is.';
      },
    });
  };
  const order = (action: 'continue' | 'abort', title: string, verb: string) =>
    setQuestion({
      title,
      verb,
      danger: action === 'abort',
      act: async (key) => {
        await rotate({ action, key }).unwrap();
        return action === 'abort' ? 'The rotation is being undone.' : 'The rotation goes on.';
      },
    });
  return (
    <Stack direction="row" sx={{ gap: 1, alignItems: 'center', flexWrap: 'wrap' }}>
      {idle ? (
        <Button variant="contained" onClick={start}>
          Rotate
        </Button>
      ) : (
        <>
          <Button
            variant="contained"
            disabled={!rotation.hold || rotation.released}
            onClick={() => order('continue', 'Go on with the rotation?', 'Go on')}
          >
            Go on
          </Button>
          <Button
            variant="outlined"
            color="error"
            onClick={() => order('abort', 'Abort the rotation?', 'Abort')}
          >
            Abort
          </Button>
          <Box sx={{ color: 'text.secondary' }}>
            begun by {rotation.actor} <Ago at={rotation.since} />
          </Box>
        </>
      )}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Stack>
  );
}

function Check({ label, set }: { label: string; set: (on: boolean) => void }) {
  return <FormControlLabel control={<Checkbox size="small" onChange={(_, on) => set(on)} />} label={label} />;
}
