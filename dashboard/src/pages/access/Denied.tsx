import Button from '@mui/material/Button';
import { useState } from 'react';
import { colonyApi } from '../../api/colony';
import { MONO } from '../../app/theme';
import { Confirm, type Question } from '../../ui/confirm';
import { Ago, Loaded, Panel, Rows } from '../../ui/parts';

export function Denied() {
  const denied = colonyApi.useDeniedKeysQuery();
  const [allow] = colonyApi.useAllowKeyMutation();
  const [question, setQuestion] = useState<Question | null>(null);
  const ask = (id: string, name: string) =>
    setQuestion({
      title: `Let the key of ${name} in again?`,
      text: 'It can join then, with a join token as every node.',
      verb: 'Allow',
      act: async (key) => {
        await allow({ id, key }).unwrap();
        return `The key of ${name} may join again.`;
      },
    });
  return (
    <Panel title="Keys of removed nodes" flush>
      <Loaded of={denied}>
        {(data) => (
          <Rows
            label="Denied keys"
            rows={data.keys}
            id={(one) => one.key}
            empty="No node was removed."
            columns={[
              { head: 'Node', cell: (one) => one.name },
              { head: 'Key', cell: (one) => <span style={{ fontFamily: MONO }} title={one.key}>{one.key.slice(0, 20)}…</span> },
              { head: 'Removed', cell: (one) => <Ago at={one.removed_at} /> },
              { head: 'By', cell: (one) => one.removed_by },
              { head: 'Actions', unseen: true, cell: (one) => <Button onClick={() => ask(one.key, one.name)}>Allow again</Button> },
            ]} // prettier-ignore
          />
        )}
      </Loaded>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}
