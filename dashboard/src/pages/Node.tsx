// One node: what it is and has, its configuration, what happened to it, and what can be done with it.

import Box from '@mui/material/Box';
import Link from '@mui/material/Link';
import Stack from '@mui/material/Stack';
import { useParams } from 'react-router';
import { colonyApi } from '../api/colony';
import type { Node as NodeType } from '../api/types';
import { useAppSelector } from '../state/store';
import { Code } from '../ui/Code';
import { mebibytes, moment } from '../ui/format';
import { Ago, Facts, Loaded, Page, Panel, StatusWord, Tag } from '../ui/parts';
import { TabPages } from '../ui/TabPages';
import { List } from './Events';
import { Actions } from './node/Actions';
import { Configuration } from './node/Configuration';

export default function Node() {
  const { node: id = '' } = useParams();
  const node = colonyApi.useNodeQuery(id, { pollingInterval: 15_000 });
  const data = node.currentData;
  return (
    <Page
      title={data?.name ?? 'Node'}
      lead={
        <Stack direction="row" sx={{ gap: 1.5, alignItems: 'center', flexWrap: 'wrap' }}>
          <Link href="#/nodes">All nodes</Link>
          {data && (
            <>
              <StatusWord status={data.status} />
              <span>
                for <Ago at={data.status_since} bare />
              </span>
              {data.role !== 'worker' && (
                <Tag tone={data.role === 'queen' ? 'primary' : 'default'}>{data.role}</Tag>
              )}
              {data.away?.reason && <span>{data.away.reason}</span>}
              {data.away?.until && <span>until {moment(data.away.until)}</span>}
              {data.cordoned && <Tag tone="warning">{data.drained ? 'drained' : 'cordoned'}</Tag>}
            </>
          )}
        </Stack>
      }
    >
      <Loaded of={node} rows={6}>
        {(known) => <Tabs node={known} />}
      </Loaded>
    </Page>
  );
}

function Tabs({ node }: { node: NodeType }) {
  const events = useAppSelector((state) => state.colony.events);
  return (
    <TabPages
      label={node.name}
      tabs={[
        { key: 'overview', label: 'Overview', content: () => <Overview node={node} /> },
        { key: 'configuration', label: 'Configuration', content: () => <Configuration node={node} /> },
        { key: 'events', label: 'Events', content: () => <List events={events} subject={node.id} /> },
        { key: 'actions', label: 'Actions', content: () => <Actions node={node} /> },
      ]}
    />
  );
}

function Overview({ node }: { node: NodeType }) {
  const { capabilities: has } = node;
  const channel = colonyApi.useChannelQuery(node.id, { pollingInterval: 10_000 });
  return (
    <Box
      sx={{
        display: 'grid',
        gap: 2,
        gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'repeat(2, minmax(0, 1fr))' },
        alignItems: 'start',
      }}
    >
      <Panel title="Capabilities">
        <Facts
          of={[
            ['Processors', has.vcpus],
            ['Memory', mebibytes(has.ram_mib)],
            ['Disk', `${has.disk_gib} GiB`],
            ['Zone', has.zone || '–'],
            ['Caste', <Link key="caste" href={`#/nodes?caste=${encodeURIComponent(node.caste)}`}>{node.caste}</Link>],
            ['Labels', Object.keys(node.labels).length === 0 ? 'none' : <Stack key="labels" direction="row" sx={{ gap: 0.5, flexWrap: 'wrap' }}>{Object.entries(node.labels).map(([name, value]) => <Tag key={name}>{`${name}=${value}`}</Tag>)}</Stack>],
          ]} // prettier-ignore
        />
      </Panel>
      <Panel title="Identity">
        <Facts
          of={[
            ['Id', node.id],
            ['Address', [node.address, ...node.pinned].join(', ')],
            ['Gateway', node.url],
            ['Version', node.version],
            ['Joined', <><Ago key="joined" at={node.joined_at} />{node.origin ? `, ${node.origin}` : ''}</>],
            ['Process', node.process || '–'],
          ]} // prettier-ignore
        />
      </Panel>
      <Panel title="Part in the colony">
        <Facts
          of={[
            ['Role', node.role],
            ['May reign', node.eligible ? (node.candidate ? 'yes' : 'an admin allowed it, but not now') : 'no: it is a worker'],
            ['Priority', node.priority],
            ['Rank', node.rank === null ? '–' : node.rank === 0 ? 'the heir' : `${node.rank} before it`],
            ['Configuration', node.config_version === 0 ? 'none set' : `version ${node.config_version}, ${node.config_applied ? 'applied' : 'not applied yet'}`],
          ]} // prettier-ignore
        />
      </Panel>
      <Panel title="Channel to the queen">
        <Loaded of={channel}>
          {(data) => (
            <Facts
              of={[
                ['State', data.state === 'self' ? 'it is the queen herself' : data.state],
                ['Since', data.since ? <Ago key="since" at={data.since} /> : '–'],
                ['Last heard', typeof data.heard_s !== 'number' ? '–' : `${data.heard_s.toFixed(2)} s ago`],
                ['Heartbeat', typeof data.beat_s !== 'number' ? '–' : `every ${data.beat_s} s`],
                ['Frames held back', data.throttled],
              ]}
            />
          )}
        </Loaded>
      </Panel>
      {Object.keys(node.vars).length > 0 && (
        <Panel title="Variables for Ansible">
          <Code label="Variables">{JSON.stringify(node.vars, null, 2)}</Code>
        </Panel>
      )}
    </Box>
  );
}
