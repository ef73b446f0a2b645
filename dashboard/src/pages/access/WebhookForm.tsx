// What is wanted of a webhook: a new one, or another wish for one that is there.

import MenuItem from '@mui/material/MenuItem';
import TextField from '@mui/material/TextField';
import { useState } from 'react';
import { colonyApi, newKey } from '../../api/colony';
import type { Filter, Webhook, WebhookWish } from '../../api/types';
import { MONO } from '../../app/theme';
import { FormDialog } from '../../ui/FormDialog';
import { words } from '../../ui/format';

const SEVERITIES = ['info', 'notice', 'warning', 'error'] as const;
const FIELDS = [
  ['url', 'Address', 'https, and reachable from the queen'],
  ['description', 'What it is for', ''],
  ['type', 'Event types', 'Patterns with blanks between, as node.* job.*; empty: any'],
  ['subject', 'Subjects', 'Nodes and others it is about; empty: any'],
  ['caste', 'Castes', 'Of the node it is about; empty: any'],
  ['actor', 'Actors', 'Who did it; empty: anybody'],
  ['retry', 'Tries one event for', 'Seconds; then it is a dead letter'],
  ['pause', 'Is paused when nothing was taken for', 'Seconds'],
] as const;
type Name = (typeof FIELDS)[number][0];

/** What was typed, as the gateway takes it. */
export function wish(typed: Record<Name, string>, severity: string, ca: string): WebhookWish {
  const filter: Filter = {
    ...(severity === 'info' ? {} : { severity: severity as NonNullable<Filter['severity']> }),
    ...Object.fromEntries(
      (['type', 'subject', 'caste', 'actor'] as const)
        .map((name) => [name, words(typed[name])] as const)
        .filter(([, patterns]) => patterns.length > 0),
    ),
  };
  return {
    url: typed.url.trim(),
    description: typed.description.trim(),
    filter,
    ca: ca.trim() === '' ? '' : `${ca.trim()}\n`,
    retry_s: Number(typed.retry),
    pause_after_s: Number(typed.pause),
  };
}

export function WebhookForm({
  hook,
  close,
  made,
}: {
  hook: Webhook | null;
  close: () => void;
  made?: (answer: { id: string; secret: string }) => void;
}) {
  const list = (of: readonly string[] | undefined) => (of ?? []).join(' ');
  const [typed, setTyped] = useState<Record<Name, string>>({
    url: hook?.url ?? '',
    description: hook?.description ?? '',
    type: list(hook?.filter.type),
    subject: list(hook?.filter.subject),
    caste: list(hook?.filter.caste),
    actor: list(hook?.filter.actor),
    retry: String(hook?.retry_s ?? 3600),
    pause: String(hook?.pause_after_s ?? 86_400),
  });
  const [severity, setSeverity] = useState<string>(hook?.filter.severity ?? 'info');
  const [ca, setCa] = useState(hook?.ca ?? '');
  const [make, making] = colonyApi.useMakeWebhookMutation();
  const [change, changing] = colonyApi.useChangeWebhookMutation();
  const body = wish(typed, severity, ca);
  const valid = Number.isFinite(body.retry_s) && Number.isFinite(body.pause_after_s);
  const send = async () => {
    if (hook === null) {
      const { data } = await make({ body, key: newKey() });
      if (data !== undefined) made?.(data);
    } else {
      const { error } = await change({ id: hook.id, body, ifMatch: hook.revision, key: newKey() });
      if (error === undefined) close();
    }
  };
  return (
    <FormDialog
      title={hook === null ? 'Add a webhook' : 'Change the webhook'}
      verb={hook === null ? 'Add' : 'Save'}
      send={send}
      close={close}
      busy={making.isLoading || changing.isLoading}
      valid={valid}
      error={making.error ?? changing.error}
      wide
    >
      {FIELDS.map(([name, label, help]) => (
        <TextField
          key={name}
          label={label}
          value={typed[name]}
          onChange={(event) => setTyped({ ...typed, [name]: event.target.value })}
          helperText={help || undefined}
          required={name === 'url' || name === 'retry' || name === 'pause'}
          autoComplete="off"
          slotProps={{ htmlInput: { spellCheck: false } }}
        />
      ))}
      <TextField
        select
        label="At least"
        value={severity}
        onChange={(event) => setSeverity(event.target.value)}
      >
        {SEVERITIES.map((one) => (
          <MenuItem key={one} value={one}>
            {one}
          </MenuItem>
        ))}
      </TextField>
      <TextField
        label="Certificate authority"
        value={ca}
        onChange={(event) => setCa(event.target.value)}
        multiline
        minRows={2}
        maxRows={6}
        helperText="PEM; empty: those of the system"
        slotProps={{ htmlInput: { spellCheck: false, style: { fontFamily: MONO } } }}
      />
    </FormDialog>
  );
}
