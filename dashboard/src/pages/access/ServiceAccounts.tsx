// Who programs are, and the tokens they show.

import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import { useState } from 'react';
import { colonyApi, newKey } from '../../api/colony';
import type { Role, ServiceAccount, ServiceToken } from '../../api/types';
import { MONO } from '../../app/theme';
import { holds } from '../../state/session';
import { useAppSelector } from '../../state/store';
import { Confirm, type Question } from '../../ui/confirm';
import { FormDialog } from '../../ui/FormDialog';
import { until, words } from '../../ui/format';
import { Ago, Loaded, Panel, Rows } from '../../ui/parts';
import { ShownOnce } from '../../ui/ShownOnce';
import { ROLES } from './Users';

type Owned = ServiceToken & { account: string };

export function ServiceAccounts() {
  const accounts = colonyApi.useServiceAccountsQuery();
  const [question, setQuestion] = useState<Question | null>(null);
  const [adding, setAdding] = useState(false);
  const [issuing, setIssuing] = useState<ServiceAccount | null>(null);
  const [remove] = colonyApi.useRemoveAccountMutation();
  const [revoke] = colonyApi.useRevokeServiceTokenMutation();
  const askRemove = (name: string) =>
    setQuestion({
      title: `Delete ${name}?`,
      text: 'Its tokens are refused at once.',
      verb: 'Delete',
      danger: true,
      act: async (key) => {
        await remove({ name, key }).unwrap();
        return `${name} is deleted.`;
      },
    });
  const askRevoke = ({ account, id }: Owned) =>
    setQuestion({
      title: `Revoke token ${id} of ${account}?`,
      text: 'It is refused at once. The others of the account stay good.',
      verb: 'Revoke',
      danger: true,
      act: async (key) => {
        await revoke({ account, id, key }).unwrap();
        return `Token ${id} of ${account} is revoked.`;
      },
    });
  return (
    <Stack spacing={2}>
      <Panel
        title="Service accounts"
        flush
        aside={
          <Button variant="contained" onClick={() => setAdding(true)}>
            Add account
          </Button>
        }
      >
        <Loaded of={accounts}>
          {(data) => (
            <Rows
              label="Service accounts"
              rows={data}
              id={(account) => account.name}
              empty="No program has an account. Give each one its own, with what it needs and no more."
              columns={[
                { head: 'Name', cell: (account) => account.name },
                { head: 'Role', cell: (account) => account.role },
                { head: 'Narrowed to', cell: (account) => <Scopes of={account.scopes} /> },
                { head: 'Owner', cell: (account) => account.owner },
                { head: 'Made', cell: (account) => <Ago at={account.created_at} /> },
                { head: 'Tokens', number: true, cell: (account) => account.tokens.length },
                {
                  head: 'Actions', unseen: true,
                  cell: (account) => (
                    <Stack direction="row" sx={{ justifyContent: 'flex-end', gap: 1 }}>
                      <Button onClick={() => setIssuing(account)}>Make a token</Button>
                      <Button color="error" onClick={() => askRemove(account.name)}>Delete</Button>
                    </Stack>
                  ),
                },
              ]} // prettier-ignore
            />
          )}
        </Loaded>
      </Panel>
      {accounts.data !== undefined && accounts.data.length > 0 && (
        <Panel title="Their tokens" flush>
          <Rows<Owned>
            label="Tokens of service accounts"
            rows={accounts.data.flatMap(({ name, tokens }) =>
              tokens.map((one) => ({ ...one, account: name })),
            )}
            id={(token) => token.id}
            empty="None: no program gets in."
            columns={[
              { head: 'Account', cell: (token) => token.account },
              { head: 'Id', cell: (token) => <span style={{ fontFamily: MONO }}>{token.id}</span> },
              { head: 'Narrowed further to', cell: (token) => <Scopes of={token.scopes} /> },
              { head: 'Made', cell: (token) => <><Ago at={token.created_at} /> by {token.created_by}</> },
              { head: 'Ends', cell: (token) => until(token.expires_at) },
              { head: 'Last used', cell: (token) => (token.last_used_at === null ? 'not that anybody knows' : <Ago at={token.last_used_at} />) },
              { head: 'Actions', unseen: true, cell: (token) => <Button color="error" onClick={() => askRevoke(token)}>Revoke</Button> },
            ]} // prettier-ignore
          />
        </Panel>
      )}
      <Confirm question={question} close={() => setQuestion(null)} />
      {adding && <Add close={() => setAdding(false)} />}
      {issuing && <Issue account={issuing} close={() => setIssuing(null)} />}
    </Stack>
  );
}

function Scopes({ of }: { of: readonly string[] }) {
  if (of.length === 0) return 'nothing less';
  return <span style={{ fontFamily: MONO, overflowWrap: 'anywhere' }}>{of.join(' ')}</span>;
}

function ScopesField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <TextField
      label="Scopes"
      value={value}
      onChange={(event) => onChange(event.target.value)}
      multiline
      minRows={2}
      placeholder="inventory:read nodes:cordon@caste=web"
      helperText="resource:verb, with blanks between. Empty: all its role may."
      slotProps={{ htmlInput: { spellCheck: false, style: { fontFamily: MONO } } }}
    />
  );
}

function Add({ close }: { close: () => void }) {
  const mine = useAppSelector((state) => state.session.current?.role);
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [scopes, setScopes] = useState('');
  const [make, { isLoading, error }] = colonyApi.useMakeAccountMutation();
  const send = async () => {
    const asked = { name: name.trim(), role, scopes: words(scopes, /\s+/) };
    const { error: problem } = await make({ ...asked, key: newKey() });
    if (problem === undefined) close();
  };
  return (
    <FormDialog
      title="Add a service account"
      verb="Add"
      send={send}
      close={close}
      busy={isLoading}
      error={error}
      wide
    >
      <TextField
        label="Name"
        value={name}
        onChange={(event) => setName(event.target.value)}
        required
        autoComplete="off"
      />
      <TextField select label="Role" value={role} onChange={(event) => setRole(event.target.value as Role)}>
        {ROLES.filter(([value]) => holds(mine, value)).map(([value, text]) => (
          <MenuItem key={value} value={value}>
            {text}
          </MenuItem>
        ))}
      </TextField>
      <ScopesField value={scopes} onChange={setScopes} />
      <Alert severity="info">It is yours: it never may do more than you, and goes with you.</Alert>
    </FormDialog>
  );
}

const DAYS = [1, 7, 30, 90];

function Issue({ account, close }: { account: ServiceAccount; close: () => void }) {
  const [days, setDays] = useState(30);
  const [scopes, setScopes] = useState('');
  const [make, { isLoading, error, data }] = colonyApi.useMakeServiceTokenMutation();
  const send = async () => {
    const asked = { account: account.name, ttlS: days * 86_400, scopes: words(scopes, /\s+/) };
    await make({ ...asked, key: newKey() });
  };
  if (data !== undefined) {
    return (
      <ShownOnce
        title={`A token of ${account.name} is made`}
        label="Token"
        text={data.token}
        warning={`Whoever has it is ${account.name}.`}
        close={close}
      />
    );
  }
  return (
    <FormDialog
      title={`Make a token of ${account.name}`}
      verb="Make"
      send={send}
      close={close}
      busy={isLoading}
      error={error}
      wide
    >
      <TextField
        select
        label="Good for"
        value={days}
        onChange={(event) => setDays(Number(event.target.value))}
      >
        {DAYS.map((value) => (
          <MenuItem key={value} value={value}>
            {value === 1 ? '1 day' : `${value} days`}
          </MenuItem>
        ))}
      </TextField>
      <ScopesField value={scopes} onChange={setScopes} />
    </FormDialog>
  );
}
