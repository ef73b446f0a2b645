// Who may: users, sessions, programs, webhooks, join tokens, and the keys of nodes that were removed.

import { Page } from '../ui/parts';
import { TabPages, type TabEntry } from '../ui/TabPages';
import { holds } from '../state/session';
import { useAppSelector } from '../state/store';
import { Audit } from './access/Audit';
import { Denied } from './access/Denied';
import { JoinTokens } from './access/JoinTokens';
import { ServiceAccounts } from './access/ServiceAccounts';
import { Sessions } from './access/Sessions';
import { Users } from './access/Users';
import { Webhooks } from './access/Webhooks';

export default function Access() {
  const role = useAppSelector((state) => state.session.current?.role);
  const sessions: TabEntry = { key: 'sessions', label: 'Sessions', content: () => <Sessions /> };
  const tabs: TabEntry[] = holds(role, 'admin')
    ? [
        { key: 'users', label: 'Users', content: () => <Users /> },
        sessions,
        { key: 'accounts', label: 'Service accounts', content: () => <ServiceAccounts /> },
        { key: 'tokens', label: 'Join tokens', content: () => <JoinTokens /> },
        { key: 'webhooks', label: 'Webhooks', content: () => <Webhooks /> },
        { key: 'audit', label: 'Audit', content: () => <Audit /> },
        { key: 'denied', label: 'Denied keys', content: () => <Denied /> },
      ]
    : [sessions];
  return (
    <Page
      title="Access"
      lead={
        holds(role, 'admin')
          ? 'Who may log in, who may join, and who is told.'
          : 'Where you are logged in. Users and tokens are an admin’s.'
      }
    >
      <TabPages label="Access" tabs={tabs} />
    </Page>
  );
}
