import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Checkbox from '@mui/material/Checkbox';
import FormControlLabel from '@mui/material/FormControlLabel';
import MenuItem from '@mui/material/MenuItem';
import TextField from '@mui/material/TextField';
import { useState } from 'react';
import { colonyApi, newKey } from '../../api/colony';
import { MONO } from '../../app/theme';
import { holds } from '../../state/session';
import { useAppSelector } from '../../state/store';
import { Confirm, type Question } from '../../ui/confirm';
import { until } from '../../ui/format';
import { FormDialog } from '../../ui/FormDialog';
import { Ago, Loaded, Panel, Rows } from '../../ui/parts';
import { ShownOnce } from '../../ui/ShownOnce';

const TIMES = [
  [3600, '1 hour'],
  [86_400, '1 day'],
  [604_800, '7 days'],
  [0, 'for ever'],
] as const;

export function JoinTokens() {
  const tokens = colonyApi.useJoinTokensQuery();
  const [revoke] = colonyApi.useRevokeTokenMutation();
  const [question, setQuestion] = useState<Question | null>(null);
  const [making, setMaking] = useState(false);
  const ask = (id: string) =>
    setQuestion({
      title: `Revoke token ${id}?`,
      text: 'Nobody joins with it any more. Nodes that did stay.',
      verb: 'Revoke',
      danger: true,
      act: async (key) => {
        await revoke({ id, key }).unwrap();
        return `Token ${id} is revoked.`;
      },
    });
  return (
    <Panel
      title="Join tokens"
      flush
      aside={
        <Button variant="contained" onClick={() => setMaking(true)}>
          Make a token
        </Button>
      }
    >
      <Loaded of={tokens}>
        {(data) => (
          <Rows
            label="Join tokens"
            rows={data.tokens}
            id={(token) => token.id}
            empty="No token: nobody can join."
            columns={[
              { head: 'Id', cell: (token) => <span style={{ fontFamily: MONO }}>{token.id}</span> },
              { head: 'Made', cell: (token) => <Ago at={token.created_at} /> },
              { head: 'By', cell: (token) => token.created_by },
              { head: 'Ends', cell: (token) => (token.expires_at === null ? 'never' : until(token.expires_at)) },
              { head: 'Uses left', number: true, cell: (token) => token.uses_left ?? 'any' },
              { head: 'For node', cell: (token) => token.node_name ?? 'any' },
              { head: 'May reign', cell: (token) => (token.eligible ? 'yes' : 'no') },
              { head: 'Actions', unseen: true, cell: (token) => <Button color="error" onClick={() => ask(token.id)}>Revoke</Button> },
            ]} // prettier-ignore
          />
        )}
      </Loaded>
      <Confirm question={question} close={() => setQuestion(null)} />
      {making && <Make close={() => setMaking(false)} />}
    </Panel>
  );
}

function Make({ close }: { close: () => void }) {
  const [ttl, setTtl] = useState<number>(3600);
  const [uses, setUses] = useState('1');
  const [nodeName, setNodeName] = useState('');
  const [eligible, setEligible] = useState(false);
  const [make, { isLoading, error, data }] = colonyApi.useMakeTokenMutation();
  const mayGrant = holds(
    useAppSelector((state) => state.session.current?.role),
    'security-admin',
  );
  const number = uses === '' ? null : Number(uses);
  const valid = number === null || (Number.isInteger(number) && number > 0);
  const send = async () => {
    const asked = { ttlS: ttl === 0 ? null : ttl, uses: number, nodeName: nodeName.trim(), eligible };
    await make({ ...asked, key: newKey() });
  };
  if (data !== undefined) {
    return (
      <ShownOnce
        title="The token is made"
        label="Join token"
        text={data.token}
        warning="Whoever has it can join."
        close={close}
      />
    );
  }
  return (
    <FormDialog
      title="Make a join token"
      verb="Make"
      send={send}
      close={close}
      busy={isLoading}
      valid={valid}
      error={error}
    >
      <TextField select label="Good for" value={ttl} onChange={(event) => setTtl(Number(event.target.value))}>
        {TIMES.map(([value, text]) => (
          <MenuItem key={value} value={value}>
            {text}
          </MenuItem>
        ))}
      </TextField>
      <TextField
        label="Uses"
        value={uses}
        onChange={(event) => setUses(event.target.value)}
        error={!valid}
        helperText="Empty: any number of nodes."
        slotProps={{ htmlInput: { inputMode: 'numeric' } }}
      />
      <TextField
        label="Node name"
        value={nodeName}
        onChange={(event) => setNodeName(event.target.value)}
        helperText="Empty: a node of any name."
        autoComplete="off"
      />
      <FormControlLabel
        disabled={!mayGrant}
        control={<Checkbox size="small" checked={eligible} onChange={(_, on) => setEligible(on)} />}
        label={`Nodes it lets in may reign${mayGrant ? '' : ' (takes the role security-admin)'}`}
      />
      {eligible && <Alert severity="warning">Such a node gets the secret of the colony.</Alert>}
    </FormDialog>
  );
}
