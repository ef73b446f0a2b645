import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import { useState } from 'react';
import { colonyApi } from '../api/colony';
import type { Backups as BackupsType } from '../api/types';
import { MONO } from '../app/theme';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Confirm, type Question } from '../ui/confirm';
import { bytes, count, until } from '../ui/format';
import { Ago, Figure, Loaded, Page, Panel, Rows } from '../ui/parts';

export default function Backups() {
  const backups = colonyApi.useBackupsQuery(undefined, { pollingInterval: 30_000 });
  const role = useAppSelector((state) => state.session.current?.role);
  const [question, setQuestion] = useState<Question | null>(null);
  const [backUp] = colonyApi.useBackUpMutation();
  const ask = () =>
    setQuestion({
      title: 'Back up now?',
      text: 'The queen takes a snapshot of etcd, seals it and puts it where the settings say.',
      verb: 'Back up',
      act: async (key) => {
        await backUp({ key }).unwrap();
        return 'A backup was asked for; it is listed here once it is made.';
      },
    });
  return (
    <Page
      title="Backups"
      lead="Snapshots of all the colony knows. The files themselves never pass a gateway."
      aside={
        holds(role, 'operator') && (
          <Button variant="contained" onClick={ask} disabled={!backups.data?.policy}>
            Back up now
          </Button>
        )
      }
    >
      <Loaded of={backups}>{(data) => <Overview backups={data} />}</Loaded>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Page>
  );
}

function Overview({ backups }: { backups: BackupsType }) {
  const { policy, failed_at, failure, failures, next_at } = backups;
  const [last] = backups.backups;
  const failing = failed_at > (last?.created_at ?? 0);
  return (
    <Stack spacing={2}>
      {policy === null && (
        <Alert severity="info">
          The spec wants no backups. Put <code>{'policies: {backup: {every: 6h}}'}</code> into it, and a
          target into the settings of the nodes that may reign.
        </Alert>
      )}
      {failing && (
        <Alert severity="error">
          The last attempt failed <Ago at={failed_at} />
          {failures > 1 ? `, the ${failures}th in a row` : ''}: {failure}
        </Alert>
      )}
      <Paper
        variant="outlined"
        sx={{ p: 2, display: 'grid', gap: 2.5, gridTemplateColumns: 'repeat(auto-fit, minmax(170px, 1fr))' }}
      >
        <Figure
          label="Last backup"
          {...(failing ? { tone: 'warning' as const } : {})}
          value={last ? <Ago at={last.created_at} /> : 'none'}
          note={last ? `${bytes(last.bytes)}, revision ${count(last.revision)}` : undefined}
        />
        <Figure
          label="Next"
          value={next_at === null ? 'not planned' : next_at === 0 ? 'at once' : until(next_at)}
        />
        <Figure
          label="Policy"
          value={policy ? `every ${policy.every}` : 'none'}
          note={
            policy
              ? `kept: ${policy.keep.last} last, ${policy.keep.daily} daily, ${policy.keep.weekly} weekly`
              : undefined
          }
        />
        <Figure label="Target" value={policy?.target ?? '–'} />
      </Paper>
      <Panel title="On record" flush>
        <Rows
          label="Backups"
          rows={backups.backups}
          id={(one) => one.name}
          empty="No backup was made yet."
          columns={[
            { head: 'Name', cell: (one) => <span style={{ fontFamily: MONO }}>{one.name}</span> },
            { head: 'Made', cell: (one) => <Ago at={one.created_at} /> },
            { head: 'Size', number: true, cell: (one) => bytes(one.bytes) },
            { head: 'Revision', number: true, cell: (one) => one.revision },
            { head: 'Target', cell: (one) => one.target },
            { head: 'By', cell: (one) => one.actor },
            { head: 'SHA-256', cell: (one) => <span style={{ fontFamily: MONO }} title={one.sha256}>{one.sha256.slice(0, 12)}…</span> },
          ]} // prettier-ignore
        />
      </Panel>
    </Stack>
  );
}
