import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import { useState } from 'react';
import { colonyApi, newKey } from '../../api/colony';
import type { Role, Users as UsersType } from '../../api/types';
import { noted } from '../../state/colony';
import { holds } from '../../state/session';
import { useAppDispatch, useAppSelector } from '../../state/store';
import { Confirm, type Question } from '../../ui/confirm';
import { FormDialog } from '../../ui/FormDialog';
import { Loaded, Panel, Rows, Tag } from '../../ui/parts';

type User = UsersType['users'][number];
export const ROLES: readonly (readonly [Role, string])[] = [
  ['viewer', 'viewer: looks'],
  ['operator', 'operator: changes nodes, configuration and spec'],
  ['admin', 'admin: also users, tokens, and what interrupts'],
  ['security-admin', 'security-admin: also trust, and who may reign'],
];

export function Users() {
  const users = colonyApi.useUsersQuery();
  const me = useAppSelector((state) => state.session.current?.user);
  const mine = useAppSelector((state) => state.session.current?.role);
  const [question, setQuestion] = useState<Question | null>(null);
  const [edited, setEdited] = useState<User | 'new' | null>(null);
  const [remove] = colonyApi.useRemoveUserMutation();
  const askRemove = (user: User) =>
    setQuestion({
      title: `Delete ${user.name}?`,
      text: 'Its sessions end at once.',
      verb: 'Delete',
      danger: true,
      act: async (key) => {
        await remove({ name: user.name, key }).unwrap();
        return `${user.name} is deleted.`;
      },
    });
  return (
    <Panel
      title="Users"
      flush
      aside={
        <Button variant="contained" onClick={() => setEdited('new')}>
          Add user
        </Button>
      }
    >
      <Loaded of={users}>
        {(data) => (
          <Rows
            label="Users"
            rows={data.users}
            id={(user) => user.name}
            empty="There are no users."
            columns={[
              { head: 'Name', cell: (user) => <>{user.name} {user.name === me && <Tag>you</Tag>}</> },
              { head: 'Role', cell: (user) => user.role },
              { head: 'Comes by', cell: (user) => (user.provider ? `${user.provider}${user.display ? ` as ${user.display}` : ''}` : 'password') },
              {
                head: 'Actions', unseen: true,
                cell: (user) => (
                  <Stack direction="row" sx={{ justifyContent: 'flex-end', gap: 1 }}>
                    {user.provider === '' && holds(mine, user.role) && <Button onClick={() => setEdited(user)}>Change</Button>}
                    <Button color="error" disabled={user.name === me || !holds(mine, user.role)} onClick={() => askRemove(user)}>Delete</Button>
                  </Stack>
                ),
              },
            ]} // prettier-ignore
          />
        )}
      </Loaded>
      <Confirm question={question} close={() => setQuestion(null)} />
      {edited !== null && <Edit user={edited === 'new' ? null : edited} close={() => setEdited(null)} />}
    </Panel>
  );
}

function Edit({ user, close }: { user: User | null; close: () => void }) {
  const mine = useAppSelector((state) => state.session.current?.role);
  const [name, setName] = useState(user?.name ?? '');
  const [role, setRole] = useState<Role>(user?.role ?? 'viewer');
  const [password, setPassword] = useState('');
  const [key, setKey] = useState(newKey);
  const [put, { isLoading, error }] = colonyApi.usePutUserMutation();
  const dispatch = useAppDispatch();
  const save = async () => {
    const { error: problem } = await put({ name: name.trim(), role, password: password || undefined, key });
    // What was refused is another write when it is sent again, changed.
    setKey(newKey());
    if (problem !== undefined) return;
    dispatch(
      noted({ topic: 'done', tone: 'success', text: user ? `${name} is changed.` : `${name} may log in.` }),
    );
    close();
  };
  return (
    <FormDialog
      title={user ? `Change ${user.name}` : 'Add a user'}
      verb="Save"
      send={save}
      close={close}
      busy={isLoading}
      error={error}
    >
      <TextField
        label="Name"
        value={name}
        onChange={(event) => setName(event.target.value)}
        disabled={user !== null}
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
      <TextField
        label={user ? 'New password' : 'Password'}
        type="password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        required={user === null}
        autoComplete="new-password"
        helperText={user ? 'Empty: it stays as it is.' : undefined}
      />
      {user && <Alert severity="info">A change ends the sessions of this user.</Alert>}
    </FormDialog>
  );
}
