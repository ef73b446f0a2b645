// A node's configuration: edited as YAML, rehearsed, put; and its versions.

import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useMemo, useState } from 'react';
import { stringify } from 'yaml';
import { colonyApi, newKey } from '../../api/colony';
import type { Config, ConfigDocument, Node, Version } from '../../api/types';
import { noted } from '../../state/colony';
import { holds } from '../../state/session';
import { useAppDispatch, useAppSelector } from '../../state/store';
import { Editor } from '../../ui/Code';
import { Confirm, type Question } from '../../ui/confirm';
import { Facts, Failure, Loaded, Panel, Tag } from '../../ui/parts';
import { History, Steps } from '../../ui/versions';
import { parsed } from '../../ui/yaml';

/** As YAML, without what is not set. */
export function textOf(config: Config): string {
  const agent = Object.fromEntries(Object.entries(config.agent).filter(([, value]) => value !== null));
  return stringify({ agent, vars: config.vars });
}

export function Configuration({ node }: { node: Node }) {
  const config = colonyApi.useConfigQuery(node.id);
  return (
    <Stack spacing={2}>
      <Box
        sx={{
          display: 'grid',
          gap: 2,
          gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'minmax(0, 3fr) minmax(280px, 2fr)' },
          alignItems: 'start',
        }}
      >
        <Loaded of={config} rows={6}>
          {(data) => <Draft key={data.revision} node={node} current={data} />}
        </Loaded>
        <Panel title="What it may say">
          <Facts
            of={[
              ['agent.log_level', 'debug, info, warning or error'],
              ['agent.beacon_interval_s', 'seconds between beacons'],
              ['agent.candidate', 'false: it does not reign'],
              ['agent.priority', 'higher reigns first; 100 unless said'],
              ['vars', 'anything; reaches Ansible as aware_vars'],
            ]}
          />
          <Typography sx={{ color: 'text.secondary', mt: 1.5 }}>
            What is left out is as the settings file of the agent has it.
          </Typography>
        </Panel>
      </Box>
      <Earlier node={node} />
    </Stack>
  );
}

function Draft({ node, current }: { node: Node; current: ConfigDocument }) {
  const role = useAppSelector((state) => state.session.current?.role);
  const writes = holds(role, 'operator');
  const [text, setText] = useState(() => textOf(current.config));
  const [would, setWould] = useState<string[] | null>(null);
  const [error, setError] = useState<unknown>(undefined);
  const [put, { isLoading }] = colonyApi.usePutConfigMutation();
  const dispatch = useAppDispatch();
  const read = useMemo(() => parsed(text), [text]);
  const changed = text !== textOf(current.config);
  const send = async (dryRun: boolean) => {
    setError(undefined);
    try {
      const config = read.value as Config;
      const done = await put({
        node: node.id,
        config,
        key: newKey(),
        dryRun,
        ifMatch: current.revision || undefined,
      }).unwrap();
      if (dryRun) setWould(done.would ?? []);
      else {
        setWould(null);
        dispatch(
          noted({
            topic: 'done',
            tone: 'success',
            text: `The configuration of ${node.name} is put; the node applies it.`,
          }),
        );
      }
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Panel
      title={
        <>
          {current.version > 0 ? `Version ${current.version}` : 'Nothing set yet'}{' '}
          {current.version > 0 && (
            <Tag tone={current.applied ? 'success' : 'warning'}>
              {current.applied ? 'applied' : 'not applied yet'}
            </Tag>
          )}
        </>
      }
      aside={
        writes && (
          <>
            <Button
              disabled={!changed || read.error !== ''}
              loading={isLoading && would === null}
              onClick={() => void send(true)}
              variant={would ? 'outlined' : 'contained'}
            >
              Rehearse
            </Button>
            {would && (
              <Button
                variant="contained"
                loading={isLoading}
                disabled={!changed}
                onClick={() => void send(false)}
              >
                Put
              </Button>
            )}
          </>
        )
      }
    >
      <Stack spacing={2}>
        <Editor
          label="Configuration as YAML"
          value={text}
          readOnly={!writes}
          invalid={read.error !== ''}
          describedBy="config-error"
          onChange={(next) => {
            setText(next);
            setWould(null);
            setError(undefined);
          }}
        />
        <Box id="config-error" role="status" sx={{ color: 'error.main', '&:empty': { display: 'none' } }}>
          {read.error}
        </Box>
        {error !== undefined && <Failure error={error} />}
        {would && <Steps steps={would} />}
      </Stack>
    </Panel>
  );
}

function Earlier({ node }: { node: Node }) {
  const role = useAppSelector((state) => state.session.current?.role);
  const history = colonyApi.useConfigHistoryQuery(node.id);
  const [rollBack] = colonyApi.useRollBackConfigMutation();
  const [question, setQuestion] = useState<Question | null>(null);
  const useDiff = (range: { from: number; to: number } | null) =>
    colonyApi.useConfigDiffQuery({ node: node.id, ...(range ?? { from: 1 }) }, { skip: range === null });
  const ask = (version: Version) =>
    setQuestion({
      title: `Roll back to version ${version.version}?`,
      text: version.message,
      verb: 'Roll back',
      act: async (key) => {
        await rollBack({ node: node.id, revision: version.revision, key }).unwrap();
        return `${node.name} has the configuration of version ${version.version} again.`;
      },
    });
  return (
    <Panel title="History">
      <History of={history} useDiff={useDiff} onReturn={holds(role, 'operator') ? ask : undefined} />
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}
