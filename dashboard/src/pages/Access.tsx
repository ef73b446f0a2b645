// Who may: users, sessions, join tokens, and the keys of nodes that were removed.

import { Page } from '../ui/parts';
import { TabPages, type TabEntry } from '../ui/TabPages';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Denied } from './access/Denied';
import { JoinTokens } from './access/JoinTokens';
import { Sessions } from './access/Sessions';
import { Users } from './access/Users';

export default function Access() {
  const role = useAppSelector((state) => state.session.current?.role);
  const sessions: TabEntry = { key: 'sessions', label: 'Sessions', content: () => <Sessions /> };
  const tabs: TabEntry[] = holds(role, 'admin')
    ? [
        { key: 'users', label: 'Users', content: () => <Users /> },
        sessions,
        { key: 'tokens', label: 'Join tokens', content: () => <JoinTokens /> },
        { key: 'denied', label: 'Denied keys', content: () => <Denied /> },
      ]
    : [sessions];
  return (
    <Page
      title="Access"
      lead={
        holds(role, 'admin')
          ? 'Who may log in, and who may join.'
          : 'Where you are logged in. Users and tokens are an admin’s.'
      }
    >
      <TabPages label="Access" tabs={tabs} />
    </Page>
  );
}
