// Whom the colony tells of its events: how that goes, and what could not be delivered.

import Button from '@mui/material/Button';
import Link from '@mui/material/Link';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { colonyApi } from '../../api/colony';
import type { Webhook } from '../../api/types';
import { Ago, Loaded, Nothing, Panel, Rows, Word, type Tone } from '../../ui/parts';
import { ShownOnce } from '../../ui/ShownOnce';
import { WebhookForm } from './WebhookForm';
import { WebhookPage } from './WebhookPage';

/** How a webhook is, in a word. */
export function standing(hook: Webhook): [Tone, string] {
  if (hook.paused !== '') return ['default', 'paused'];
  if (hook.breaker !== 'closed') return ['error', 'nobody answers'];
  if (hook.failing_since > 0) return ['warning', 'failing'];
  return ['success', 'well'];
}

/** What a filter lets through, in a line. */
export function wanted({
  type = [],
  severity = 'info',
  subject = [],
  caste = [],
  actor = [],
}: Webhook['filter']): string {
  const parts = [
    type.join(', '),
    severity === 'info' ? '' : `${severity} or worse`,
    subject.length > 0 ? `about ${subject.join(', ')}` : '',
    caste.length > 0 ? `of caste ${caste.join(', ')}` : '',
    actor.length > 0 ? `by ${actor.join(', ')}` : '',
  ];
  return parts.filter((part) => part !== '').join('; ') || 'every event';
}

export function Webhooks() {
  // How deliveries go no event tells.
  const hooks = colonyApi.useWebhooksQuery(undefined, { pollingInterval: 5000 });
  const [search, setSearch] = useSearchParams();
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState('');
  const open = (id: string) => setSearch({ tab: 'webhooks', ...(id ? { webhook: id } : {}) });
  const chosen = search.get('webhook');
  return (
    <>
      <Loaded of={hooks}>
        {(data) => {
          if (chosen === null) return <List hooks={data} add={() => setAdding(true)} />;
          const hook = data.find((one) => one.id === chosen);
          return hook ? (
            <WebhookPage hook={hook} told={setSecret} close={() => open('')} />
          ) : (
            <Nothing action={<Button onClick={() => open('')}>All webhooks</Button>}>
              There is no such webhook.
            </Nothing>
          );
        }}
      </Loaded>
      {adding && (
        <WebhookForm
          hook={null}
          close={() => setAdding(false)}
          made={(made) => {
            setAdding(false);
            setSecret(made.secret);
            open(made.id);
          }}
        />
      )}
      {secret !== '' && (
        <ShownOnce
          title="The secret of the webhook"
          label="Secret"
          text={secret}
          warning="The receiver verifies with it that calls are the colony’s; whoever has it can sign like the colony."
          close={() => setSecret('')}
        />
      )}
    </>
  );
}

function List({ hooks, add }: { hooks: readonly Webhook[]; add: () => void }) {
  return (
    <Panel
      title="Webhooks"
      flush
      aside={
        <Button variant="contained" onClick={add}>
          Add webhook
        </Button>
      }
    >
      <Rows
        label="Webhooks"
        rows={hooks}
        id={(hook) => hook.id}
        empty="The colony tells nobody of its events. A webhook calls an address of yours, signed, until it is taken."
        columns={[
          { head: 'Address', cell: (hook) => <Link href={`#/access?tab=webhooks&webhook=${hook.id}`} sx={{ fontWeight: 600, overflowWrap: 'anywhere' }}>{hook.url}</Link> },
          { head: 'For', cell: (hook) => hook.description || '–' },
          { head: 'Is told of', cell: (hook) => wanted(hook.filter) },
          { head: 'How it is', cell: (hook) => { const [tone, word] = standing(hook); return <Word tone={tone}>{word}</Word>; } },
          { head: 'Since', cell: (hook) => (hook.failing_since > 0 ? <Ago at={hook.failing_since} /> : '–') },
          { head: 'Delivered', number: true, cell: (hook) => hook.delivered },
          { head: 'Dead letters', number: true, cell: (hook) => hook.dead },
        ]} // prettier-ignore
      />
    </Panel>
  );
}
