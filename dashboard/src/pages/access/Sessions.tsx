import Button from '@mui/material/Button';
import { useState } from 'react';
import { useLogOut } from '../../app/Shell';
import { colonyApi } from '../../api/colony';
import type { Sessions as SessionsType } from '../../api/types';
import { Confirm, type Question } from '../../ui/confirm';
import { until } from '../../ui/format';
import { Ago, Loaded, Panel, Rows, Tag } from '../../ui/parts';

export function Sessions() {
  const sessions = colonyApi.useSessionsQuery(undefined, { pollingInterval: 30_000 });
  const [end] = colonyApi.useEndSessionMutation();
  const logOut = useLogOut();
  const [question, setQuestion] = useState<Question | null>(null);
  const ask = (session: SessionsType['sessions'][number]) => {
    if (session.current) {
      void logOut();
      return;
    }
    setQuestion({
      title: `End this session of ${session.user}?`,
      text: `It began at ${session.source}; whoever has it has to log in again.`,
      verb: 'End session',
      danger: true,
      act: async (key) => {
        await end({ id: session.id, key }).unwrap();
        return `A session of ${session.user} has ended.`;
      },
    });
  };
  return (
    <Panel title="Sessions" flush>
      <Loaded of={sessions}>
        {(data) => (
          <Rows
            label="Sessions"
            rows={data.sessions}
            id={(session) => session.id}
            empty="No session: you came in while nobody reigned. Log in again to have one."
            columns={[
              { head: 'User', cell: (session) => <>{session.user} {session.current && <Tag tone="success">this one</Tag>}</> },
              { head: 'Begun', cell: (session) => <Ago at={session.begun_at} /> },
              { head: 'Last refreshed', cell: (session) => <Ago at={session.refreshed_at} /> },
              { head: 'Ends', cell: (session) => until(session.ends_at) },
              { head: 'From', cell: (session) => session.source },
              { head: 'Client', cell: (session) => session.client.slice(0, 60) || '–' },
              { head: 'Actions', unseen: true, cell: (session) => <Button color={session.current ? 'inherit' : 'error'} onClick={() => ask(session)}>{session.current ? 'Log out' : 'End'}</Button> },
            ]} // prettier-ignore
          />
        )}
      </Loaded>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}
