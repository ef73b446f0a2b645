// One job: how it goes, host by host, what it prints, and how to end or repeat it.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import LinearProgress from '@mui/material/LinearProgress';
import Link from '@mui/material/Link';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { colonyApi, newKey } from '../api/colony';
import type { Job as JobType } from '../api/types';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Code } from '../ui/Code';
import { Confirm, type Question } from '../ui/confirm';
import { count, counted, moment, took } from '../ui/format';
import { Ago, Facts, Failure, Figure, Loaded, Page, Panel, Rows, Tag, Word } from '../ui/parts';
import { Steps } from '../ui/versions';
import { Log, NoLog } from './jobs/Log';
import { hostLines, isOpen, said, STATE } from './jobs/states';

export default function Job() {
  const { job: id = '' } = useParams();
  const read = colonyApi.useJobQuery(id);
  const job = read.currentData;
  colonyApi.useJobQuery(id, { pollingInterval: job === undefined || isOpen(job) ? 2000 : 60_000 });
  return (
    <Page
      title={job?.operation ?? 'Job'}
      lead={
        <Stack direction="row" sx={{ gap: 1.5, alignItems: 'center', flexWrap: 'wrap' }}>
          <Link href="#/jobs">All jobs</Link>
          {job && (
            <>
              <span role="status">
                <Word tone={STATE[job.state]}>{said(job.state)}</Word>
              </span>
              {job.attempt > 1 && <Tag tone="warning">attempt {job.attempt}</Tag>}
              {job.retry_of !== '' && <Link href={`#/jobs/${job.retry_of}`}>repeats another job</Link>}
            </>
          )}
        </Stack>
      }
      aside={job && <Orders job={job} />}
    >
      <Loaded of={{ ...read, data: job }} rows={6}>
        {(known) => <Whole key={known.id} job={known} />}
      </Loaded>
    </Page>
  );
}

function Whole({ job }: { job: JobType }) {
  const role = useAppSelector((state) => state.session.current?.role);
  return (
    <Stack spacing={2}>
      <Figures job={job} />
      <Box
        sx={{
          display: 'grid', gap: 2, alignItems: 'start',
          gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'minmax(0, 3fr) minmax(300px, 2fr)' },
        }} // prettier-ignore
      >
        <Stack spacing={2} sx={{ minWidth: 0 }}>
          <Hosts job={job} />
          {holds(role, 'operator') ? <Log job={job} /> : <NoLog />}
        </Stack>
        <Asked job={job} />
      </Box>
    </Stack>
  );
}

function Figures({ job }: { job: JobType }) {
  const lines = hostLines(job);
  const trouble = lines.filter((line) => line.tone === 'error').length;
  const ended = !isOpen(job);
  return (
    <Paper variant="outlined" sx={{ overflow: 'hidden' }}>
      {job.state === 'running' && <LinearProgress aria-label={`${job.operation} runs`} sx={{ height: 3 }} />}
      <Box
        sx={{ p: 2, display: 'grid', gap: 2.5, gridTemplateColumns: 'repeat(auto-fit, minmax(170px, 1fr))' }}
      >
        <Figure
          label={ended ? 'How it went' : 'How it goes'}
          value={<Word tone={STATE[job.state]}>{said(job.state)}</Word>}
          note={job.message || (job.state === 'queued' ? 'it waits for its turn' : undefined)}
        />
        <Figure
          label={ended ? 'Last task' : 'At'}
          value={job.task || '–'}
          note={job.play ? `play ${job.play}` : undefined}
        />
        <Figure
          label="Hosts"
          value={count(lines.length + job.more_hosts)}
          note={trouble > 0 ? `${counted(trouble, 'host')} in trouble` : 'none in trouble'}
          {...(trouble > 0 ? { tone: 'error' as const } : {})}
        />
        <Figure
          label={ended ? 'Took' : 'For'}
          value={took(job.started_at, job.ended_at) || '–'}
          note={job.node ? `on ${job.node}, term ${job.term}` : 'not begun'}
        />
      </Box>
    </Paper>
  );
}

function Hosts({ job }: { job: JobType }) {
  return (
    <Panel title="Hosts" flush>
      <Box sx={{ maxHeight: 420, overflow: 'auto' }} tabIndex={0} role="region" aria-label="Progress by host">
        <Rows
          label="Hosts"
          rows={hostLines(job)}
          id={(line) => line.name}
          empty={isOpen(job) ? 'No host has begun yet.' : 'It touched no host.'}
          columns={[
            { head: 'Host', cell: (line) => <Link href={`#/nodes/${encodeURIComponent(line.name)}`} sx={{ fontWeight: 600 }}>{line.name}</Link> },
            { head: 'How it is', cell: (line) => <Word tone={line.tone}>{line.word}</Word> },
            { head: 'ok', number: true, cell: (line) => line.ok },
            { head: 'Changed', number: true, cell: (line) => line.changed },
            { head: 'Skipped', number: true, cell: (line) => line.skipped },
            { head: 'Failed', number: true, cell: (line) => line.failed + line.unreachable },
            { head: 'Task', cell: (line) => line.task || '–' },
          ]} // prettier-ignore
        />
      </Box>
      {job.more_hosts > 0 && (
        <Box sx={{ px: 2, py: 1, color: 'text.secondary' }}>
          {counted(job.more_hosts, 'more host')} are counted in the log only.
        </Box>
      )}
    </Panel>
  );
}

function Asked({ job }: { job: JobType }) {
  const given = Object.keys(job.parameters).length > 0;
  return (
    <Panel title="What was asked for">
      <Stack spacing={2}>
        <Facts
          of={[
            ['By', job.reference ? `${job.actor} (${job.reference})` : job.actor],
            ['When', <Ago key="when" at={job.created_at} />],
            ['Began', job.started_at ? moment(job.started_at) : 'not yet'],
            ['Ended', job.ended_at ? moment(job.ended_at) : 'not yet'],
            ['Only hosts', job.hosts.join(', ') || 'all the operation may touch'],
            ['Secrets', job.secrets.join(', ') || 'none'],
            ...(job.cancelled_by ? [['Cancelled by', job.cancelled_by] as const] : []),
            ...(job.reason ? [['Reason', job.reason] as const] : []),
            ['Id', job.id],
          ]}
        />
        {given && <Code label="Parameters">{JSON.stringify(job.parameters, null, 2)}</Code>}
        {job.state === 'lost' && (
          <Alert severity="warning">
            The queen fell while it ran, and it is not idempotent: see how far each host was before you retry.
          </Alert>
        )}
      </Stack>
    </Panel>
  );
}

function Orders({ job }: { job: JobType }) {
  const role = useAppSelector((state) => state.session.current?.role);
  const table = colonyApi.useOperationsQuery().data?.operations;
  const [question, setQuestion] = useState<Question | null>(null);
  const [error, setError] = useState<unknown>(undefined);
  const [order, { isLoading }] = colonyApi.useOrderJobMutation();
  const navigate = useNavigate();
  const needs = table?.find((one) => one.name === job.operation)?.role ?? 'operator';
  if (!holds(role, 'operator') || !holds(role, needs)) return null;

  const askCancel = () =>
    setQuestion({
      title: `Cancel ${job.operation}?`,
      text:
        job.state === 'queued'
          ? 'It has not begun: nothing was done.'
          : 'Its processes end within seconds. What it did on hosts stays done.',
      verb: 'Cancel the job',
      danger: true,
      act: async (key) => {
        await order({ id: job.id, order: 'cancel', key }).unwrap();
        return `${job.operation} is being cancelled.`;
      },
    });
  const askRetry = async () => {
    setError(undefined);
    try {
      const { would } = await order({ id: job.id, order: 'retry', key: newKey(), dryRun: true }).unwrap();
      setQuestion({
        title: `Run ${job.operation} again?`,
        text: <Steps steps={would} />,
        verb: 'Retry',
        act: async (key) => {
          const made = await order({ id: job.id, order: 'retry', key }).unwrap();
          void navigate(`/jobs/${made.id}`);
          return `${job.operation} is queued once more.`;
        },
      });
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <>
      {error !== undefined && <Failure error={error} />}
      {isOpen(job) ? (
        <Button variant="outlined" color="error" onClick={askCancel} disabled={job.cancelled_by !== ''}>
          {job.cancelled_by === '' ? 'Cancel' : 'Being cancelled'}
        </Button>
      ) : (
        <Button variant="contained" onClick={() => void askRetry()} loading={isLoading && question === null}>
          Retry
        </Button>
      )}
      <Confirm question={question} close={() => setQuestion(null)} />
    </>
  );
}
