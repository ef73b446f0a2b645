// What can be run, and how members are equipped for it.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useState } from 'react';
import { colonyApi } from '../../api/colony';
import type { Operation, Operations as OperationsType } from '../../api/types';
import { holds } from '../../state/session';
import { useAppSelector } from '../../state/store';
import { duration } from '../../ui/format';
import { Loaded, Panel, Rows, Tag, Word } from '../../ui/parts';
import { RunOperation } from './RunOperation';
import { isPlaybook } from './states';

export function Operations() {
  const operations = colonyApi.useOperationsQuery(undefined, { pollingInterval: 30_000 });
  return <Loaded of={operations}>{(data) => <Tables of={data} />}</Loaded>;
}

function Tables({ of }: { of: OperationsType }) {
  const role = useAppSelector((state) => state.session.current?.role);
  const [running, setRunning] = useState<Operation | null>(null);
  return (
    <Stack spacing={2}>
      {of.skipped.length > 0 && (
        <Alert severity="warning">
          Not used on {of.node}:
          <Box component="ul" sx={{ m: 0, pl: 2.5 }}>
            {of.skipped.map(({ file, message }) => (
              <li key={file}>
                {file}: {message}
              </li>
            ))}
          </Box>
        </Alert>
      )}
      <Panel title="What can be run" flush>
        <Rows
          label="Operations"
          rows={of.operations}
          id={(one) => one.name}
          empty="The queen has not read her table yet."
          columns={[
            {
              head: 'Operation',
              cell: (one) => (
                <>
                  <Typography component="span" sx={{ fontWeight: 600, mr: 1 }}>{one.name}</Typography>
                  {one.built_in && <Tag>built in</Tag>}
                  <Typography variant="body2" sx={{ color: 'text.secondary' }}>{one.description}</Typography>
                </>
              ),
            },
            { head: 'Touches', cell: (one) => (one.castes.length > 0 ? `castes ${one.castes.join(', ')}` : isPlaybook(one) ? 'all living nodes' : 'the spec') },
            { head: 'At most', cell: (one) => duration(one.time_limit_s) },
            { head: 'At once', number: true, cell: (one) => one.concurrency },
            { head: 'When the queen falls', cell: (one) => (one.idempotent ? 'started again' : 'lost: a person decides') },
            { head: 'Takes the role', cell: (one) => one.role },
            {
              head: 'Actions', unseen: true,
              cell: (one) => <Button variant="outlined" disabled={!holds(role, one.role)} aria-label={`Run ${one.name}`} onClick={() => setRunning(one)}>Run</Button>,
            },
          ]} // prettier-ignore
        />
      </Panel>
      <Panel title="Who can run playbooks" flush>
        <Rows
          label="Members and jobs"
          rows={of.members}
          id={(one) => one.name}
          empty="No member has said what it has."
          columns={[
            { head: 'Member', cell: (one) => <>{one.name} {one.name === of.node && <Tag tone="primary">runs jobs now</Tag>}</> },
            { head: 'Playbooks', cell: (one) => <Word tone={one.ready ? 'success' : 'warning'}>{one.ready ? 'ready' : 'none'}</Word> },
            { head: 'Ansible', cell: (one) => one.ansible_core || '–' },
            { head: 'Kept in by', cell: (one) => one.confined || 'nothing' },
            { head: 'Other operations than the queen', cell: (one) => one.differs.join(', ') || 'none' },
            { head: 'What is missing', cell: (one) => one.problem || 'nothing' },
          ]} // prettier-ignore
        />
      </Panel>
      {running && <RunOperation operation={running} close={() => setRunning(null)} />}
    </Stack>
  );
}
