import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useState } from 'react';
import { colonyApi, newKey } from '../../api/colony';
import type { DeadLetter, Webhook, WebhookTest } from '../../api/types';
import { Code } from '../../ui/Code';
import { Confirm, type Question } from '../../ui/confirm';
import { count, duration } from '../../ui/format';
import { Ago, Facts, Failure, Loaded, Panel, Rows, Word } from '../../ui/parts';
import { standing, wanted } from './Webhooks';
import { WebhookForm } from './WebhookForm';

export function WebhookPage({
  hook,
  told,
  close,
}: {
  hook: Webhook;
  /** A secret that is to be shown this once. */
  told: (secret: string) => void;
  close: () => void;
}) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [changing, setChanging] = useState(false);
  const [change] = colonyApi.useChangeWebhookMutation();
  const [remove] = colonyApi.useRemoveWebhookMutation();
  const [rotate] = colonyApi.useRotateWebhookSecretMutation();
  const paused = hook.paused !== '';
  const askPause = () =>
    setQuestion({
      title: paused ? 'Go on with this webhook?' : 'Pause this webhook?',
      text: paused
        ? 'Events of the time between are delivered, as far as the history reaches back.'
        : 'Nothing is sent until it goes on; it is told then of what happened meanwhile.',
      verb: paused ? 'Go on' : 'Pause',
      act: async (key) => {
        await change({ id: hook.id, body: { paused: !paused }, key }).unwrap();
        return paused ? 'The webhook goes on.' : 'The webhook is paused.';
      },
    });
  const askSecret = () =>
    setQuestion({
      title: 'Make a new secret?',
      text: 'The one before signs beside it for a day, so that the receiver can be told in time.',
      verb: 'Make a new secret',
      act: async (key) => {
        told((await rotate({ id: hook.id, key }).unwrap()).secret);
        return undefined;
      },
    });
  const askRemove = () =>
    setQuestion({
      title: 'Delete this webhook?',
      text: `${hook.url} is told nothing more. Its dead letters go with it.`,
      verb: 'Delete',
      danger: true,
      act: async (key) => {
        await remove({ id: hook.id, key }).unwrap();
        close();
        return 'The webhook is deleted.';
      },
    });
  const [tone, word] = standing(hook);
  return (
    <Stack spacing={2}>
      <Panel
        title={hook.description || 'Webhook'}
        aside={
          <>
            <Button color="inherit" onClick={close}>
              All webhooks
            </Button>
            <Button onClick={() => setChanging(true)}>Change</Button>
            <Button onClick={askPause}>{paused ? 'Go on' : 'Pause'}</Button>
            <Button onClick={askSecret}>New secret</Button>
            <Button color="error" onClick={askRemove}>
              Delete
            </Button>
          </>
        }
      >
        <Stack spacing={2}>
          {hook.reason !== '' && (
            <Alert severity="warning">
              Nothing was taken since <Ago at={hook.failing_since} />: {hook.reason}
            </Alert>
          )}
          {paused && <Alert severity="info">It is paused: {hook.paused}</Alert>}
          <Facts
            of={[
              ['Address', hook.url],
              ['How it is', <Word key="is" tone={tone}>{word}</Word>],
              ['Is told of', wanted(hook.filter)],
              ['Delivered', `${count(hook.delivered)}, after ${count(hook.failed_attempts)} calls that failed`],
              ['Tries one event for', duration(hook.retry_s)],
              ['Certificates', hook.ca === '' ? 'by the system’s authorities' : 'by an authority of its own alone'],
              ['Signatures of a call', hook.signatures],
              ['Made', <><Ago key="made" at={hook.created_at} /> by {hook.created_by}</>],
              ['Id', hook.id],
            ]} // prettier-ignore
          />
          <Try hook={hook} />
        </Stack>
      </Panel>
      <Dead hook={hook} ask={setQuestion} />
      <Deliveries hook={hook} />
      <Confirm question={question} close={() => setQuestion(null)} />
      {changing && <WebhookForm hook={hook} close={() => setChanging(false)} />}
    </Stack>
  );
}

/** One call now, with an event that is in no history. */
function Try({ hook }: { hook: Webhook }) {
  const [call, { data, error, isLoading }] = colonyApi.useTestWebhookMutation();
  return (
    <Stack spacing={1} sx={{ alignItems: 'flex-start' }}>
      <Button
        variant="outlined"
        loading={isLoading}
        onClick={() => void call({ id: hook.id, key: newKey() })}
      >
        Test call
      </Button>
      {error !== undefined && <Failure error={error} />}
      {data !== undefined && <Answer of={data} />}
    </Stack>
  );
}

function Answer({ of }: { of: WebhookTest }) {
  const after = `after ${of.duration_s.toFixed(2)} s`;
  return (
    <Stack spacing={1} role="status" sx={{ width: '100%' }}>
      <Alert severity={of.delivered ? 'success' : 'error'}>
        {of.delivered ? `It was taken: ${of.status} ${after}.` : `It was not taken: ${of.reason}, ${after}.`}
      </Alert>
      {of.answer !== '' && <Code label="What the receiver answered">{of.answer}</Code>}
    </Stack>
  );
}

function Dead({ hook, ask }: { hook: Webhook; ask: (question: Question) => void }) {
  const dead = colonyApi.useDeadLettersQuery(hook.id, { pollingInterval: 5000 });
  const [settle] = colonyApi.useSettleDeadMutation();
  const askAbout = (how: 'replay' | 'drop', letter: DeadLetter | null) => {
    const what = letter ? letter.event.message : `all ${count(hook.dead)} dead letters`;
    ask({
      title: how === 'replay' ? 'Try again?' : 'Forget it?',
      text:
        how === 'replay'
          ? `The receiver is told once more: ${what}.`
          : `The receiver is never told: ${what}.`,
      verb: how === 'replay' ? 'Replay' : 'Drop',
      danger: how === 'drop',
      act: async (key) => {
        await settle({ id: hook.id, event: letter?.event.id ?? '', how, key }).unwrap();
        return how === 'replay' ? 'It is being tried again.' : 'It is forgotten.';
      },
    });
  };
  return (
    <Panel
      title="Dead letters"
      flush
      aside={
        hook.dead > 0 && (
          <>
            <Button onClick={() => askAbout('replay', null)}>Replay all</Button>
            <Button color="error" onClick={() => askAbout('drop', null)}>
              Drop all
            </Button>
          </>
        )
      }
    >
      {hook.dropped > 0 && (
        <Typography sx={{ px: 2, pb: 1, color: 'text.secondary' }}>
          {count(hook.dropped)} older ones had to go: the last hundred are kept.
        </Typography>
      )}
      <Loaded of={dead}>
        {(data) => (
          <Rows
            label="Dead letters"
            rows={data}
            id={(letter) => letter.event.id}
            empty="None: what happened was delivered, or is being tried."
            columns={[
              { head: 'Event', cell: (letter) => letter.event.message },
              { head: 'Type', cell: (letter) => letter.event.type },
              { head: 'Given up', cell: (letter) => <Ago at={letter.at} /> },
              { head: 'Attempts', number: true, cell: (letter) => letter.attempts },
              { head: 'Why', cell: (letter) => (letter.status ? `${letter.status} ${letter.reason}` : letter.reason) },
              {
                head: 'Actions', unseen: true,
                cell: (letter) => letter.replay ? <Word tone="info">tried again</Word> : (
                  <Stack direction="row" sx={{ justifyContent: 'flex-end', gap: 1 }}>
                    <Button onClick={() => askAbout('replay', letter)}>Replay</Button>
                    <Button color="error" onClick={() => askAbout('drop', letter)}>Drop</Button>
                  </Stack>
                ),
              },
            ]} // prettier-ignore
          />
        )}
      </Loaded>
    </Panel>
  );
}

function Deliveries({ hook }: { hook: Webhook }) {
  const deliveries = colonyApi.useDeliveriesQuery(hook.id, { pollingInterval: 5000 });
  return (
    <Panel title="The last deliveries" flush>
      <Loaded of={deliveries}>
        {(data) => (
          <Rows
            label="Deliveries"
            rows={data}
            id={(one) => one.event}
            empty="Nothing was delivered yet."
            columns={[
              { head: 'Event', cell: (one) => one.type },
              { head: 'How it ended', cell: (one) => <Word tone={one.delivered ? 'success' : 'error'}>{one.delivered ? 'taken' : 'given up'}</Word> },
              { head: 'When', cell: (one) => <Ago at={one.at} /> },
              { head: 'Attempts', number: true, cell: (one) => one.attempts },
              { head: 'Last answer', cell: (one) => one.status || '–' },
              { head: 'After', number: true, cell: (one) => `${one.duration_s.toFixed(2)} s` },
              { head: 'Last failure', cell: (one) => one.reason || '–' },
            ]} // prettier-ignore
          />
        )}
      </Loaded>
    </Panel>
  );
}
