// What can be done with a node. What somebody may not do is shown, and says whose it is.

import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import MenuItem from '@mui/material/MenuItem';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { colonyApi, newKey } from '../../api/colony';
import type { Node, Role } from '../../api/types';
import { holds } from '../../state/session';
import { useAppSelector } from '../../state/store';
import { Code } from '../../ui/Code';
import { Confirm, type Question } from '../../ui/confirm';
import { Failure } from '../../ui/parts';

export function Actions({ node }: { node: Node }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [change] = colonyApi.useChangeNodeMutation();
  const [transfer] = colonyApi.useTransferMutation();
  const [remove] = colonyApi.useRemoveNodeMutation();
  const [command] = colonyApi.useCommandMutation();
  const [setAway] = colonyApi.useSendAwayMutation();
  const navigate = useNavigate();
  const alive = node.away?.here ?? (node.status === 'ready' || node.status === 'suspect');
  const patch = (what: { cordoned?: boolean; drained?: boolean }, said: string) => async (key: string) => {
    await change({ node: node.id, patch: what, key }).unwrap();
    return said;
  };
  const sendAway = async (key: string) => {
    await setAway({ node: node.id, away: node.away === null, key }).unwrap();
    return node.away ? `${node.name} is expected back.` : `${node.name} is away.`;
  };
  const restart = async (key: string) => {
    await command({ node: node.id, command: { type: 'restart' }, key }).unwrap();
    return `The agent of ${node.name} restarts.`;
  };
  return (
    <Stack spacing={1.5}>
      <Action
        title={node.cordoned ? 'Open for work' : 'Cordon'}
        text={node.cordoned ? 'It may be given work again.' : 'It keeps the work it has, and gets no new.'}
        needs="operator"
        act={() =>
          setQuestion({
            title: node.cordoned ? `Open ${node.name} for work?` : `Cordon ${node.name}?`,
            verb: node.cordoned ? 'Open' : 'Cordon',
            act: patch(
              { cordoned: !node.cordoned },
              node.cordoned ? `${node.name} is open for work.` : `${node.name} is cordoned.`,
            ),
          })
        }
      />
      <Action
        title="Drain"
        text="Before work on the host: its reign, its seat and its place in a caste go to others."
        needs="admin"
        disabled={node.drained}
        act={() =>
          setQuestion({
            title: `Drain ${node.name}?`,
            text: 'What nobody else can take over, it keeps; the events say so.',
            verb: 'Drain',
            act: patch({ drained: true }, `${node.name} is being drained.`),
          })
        }
      />
      <Action
        title={node.away ? 'Bring back' : 'Send away'}
        text={
          node.away
            ? 'It gets work again, and is missed while it is silent.'
            : 'Its host is repaired or powered off: nobody misses it, and others get its work and its seat.'
        }
        needs="admin"
        act={() =>
          setQuestion({
            title: node.away ? `Is ${node.name} back?` : `Send ${node.name} away?`,
            verb: node.away ? 'It is back' : 'Send away',
            text: node.away
              ? undefined
              : 'It stays away until somebody brings it back, whatever it does itself.',
            act: sendAway,
          })
        }
      />
      <Action
        title="Make it queen"
        text={node.candidate ? 'The queen hands over to it; no request fails.' : 'It cannot reign.'}
        needs="admin"
        disabled={!node.candidate || node.role === 'queen' || node.status !== 'ready'}
        act={() =>
          setQuestion({
            title: `Shall ${node.name} be the next queen?`,
            verb: 'Hand over',
            act: async (key) => {
              await transfer({ node: node.id, key }).unwrap();
              return `The queen hands over to ${node.name}.`;
            },
          })
        }
      />
      <Order
        node={node}
        title="Log level"
        type="log-level"
        text="Until its agent restarts or its configuration changes."
        needs="operator"
        disabled={!alive}
        options={['debug', 'info', 'warning', 'error']}
        field="level"
      />
      <Order
        node={node}
        title="Check an upgrade"
        type="check-upgrade"
        text="Whether this node could change to a version."
        needs="operator"
        disabled={!alive}
        field="version"
        placeholder="1.4.2"
      />
      <Order
        node={node}
        title="Diagnostics"
        type="diagnostics"
        text="What helps to find out what is wrong, without secrets."
        needs="admin"
        disabled={!alive}
      />
      <Action
        title="Restart the agent"
        text="Its work goes on; its channel comes back in seconds."
        needs="admin"
        disabled={!alive}
        act={() =>
          setQuestion({ title: `Restart the agent of ${node.name}?`, verb: 'Restart', act: restart })
        }
      />
      <Action
        title="Remove"
        text="The colony forgets it and refuses its key from then on. There is no way back but a new join."
        needs="admin"
        danger
        act={() =>
          setQuestion({
            title: `Remove ${node.name}?`,
            text: alive ? 'It is alive: its agent stops.' : 'It is not there.',
            verb: 'Remove',
            danger: true,
            typed: node.name,
            act: async (key) => {
              await remove({ node: node.id, force: alive, key }).unwrap();
              void navigate('/nodes');
              return `${node.name} is removed, and its key refused.`;
            },
          })
        }
      />
      <Confirm question={question} close={() => setQuestion(null)} />
    </Stack>
  );
}

function Action({
  title,
  text,
  needs,
  act,
  disabled = false,
  danger = false,
  children,
  loading = false,
}: {
  title: string;
  text: string;
  needs: Role;
  act: () => void;
  disabled?: boolean;
  danger?: boolean;
  children?: ReactNode;
  loading?: boolean;
}) {
  const role = useAppSelector((state) => state.session.current?.role);
  const may = holds(role, needs);
  return (
    <Paper variant="outlined" sx={{ p: 2 }}>
      <Stack direction="row" sx={{ gap: 2, alignItems: 'center', flexWrap: 'wrap' }}>
        <Box sx={{ flexGrow: 1, minWidth: 200 }}>
          <Typography variant="h3" component="h2">
            {title}
          </Typography>
          <Typography sx={{ color: 'text.secondary' }}>
            {text}
            {may ? '' : ` This takes the role ${needs}.`}
          </Typography>
        </Box>
        {children}
        <Button
          variant="outlined"
          color={danger ? 'error' : 'primary'}
          disabled={!may || disabled}
          onClick={act}
          loading={loading}
        >
          {title}
        </Button>
      </Stack>
    </Paper>
  );
}

/** Something the node does and answers itself. */
function Order({
  node,
  title,
  type,
  text,
  needs,
  disabled,
  field,
  options,
  placeholder,
}: {
  node: Node;
  title: string;
  type: string;
  text: string;
  needs: Role;
  disabled: boolean;
  field?: string;
  options?: string[];
  placeholder?: string;
}) {
  const [value, setValue] = useState(options?.[1] ?? '');
  const [command, { data, error, isLoading }] = colonyApi.useCommandMutation();
  return (
    <>
      <Action
        title={title}
        text={text}
        needs={needs}
        disabled={disabled || (field !== undefined && value === '')}
        loading={isLoading}
        act={() =>
          void command({
            node: node.id,
            command: { type, ...(field ? { [field]: value } : {}) },
            key: newKey(),
          })
        }
      >
        {field !== undefined && (
          <TextField
            select={options !== undefined}
            label={field}
            value={value}
            placeholder={placeholder}
            onChange={(event) => setValue(event.target.value)}
            sx={{ width: 130 }}
          >
            {options?.map((option) => (
              <MenuItem key={option} value={option}>
                {option}
              </MenuItem>
            ))}
          </TextField>
        )}
      </Action>
      {error !== undefined && <Failure error={error} />}
      {data !== undefined && (
        <Code label={`The answer of ${node.name}`}>{JSON.stringify(data.answer, null, 2)}</Code>
      )}
    </>
  );
}
