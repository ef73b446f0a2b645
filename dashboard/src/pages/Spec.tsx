// What the colony shall be: written, planned, applied; and what was wanted earlier.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useMemo, useState } from 'react';
import { stringify } from 'yaml';
import { colonyApi, newKey } from '../api/colony';
import type { Spec as SpecType, SpecChange, SpecDocument, Version } from '../api/types';
import { holds } from '../state/session';
import { noted } from '../state/colony';
import { useAppDispatch, useAppSelector } from '../state/store';
import { Editor } from '../ui/Code';
import { Confirm, type Question } from '../ui/confirm';
import { counted } from '../ui/format';
import { Failure, Loaded, Page, Panel, Tag } from '../ui/parts';
import { SpecHelp } from '../ui/SpecHelp';
import { parsed } from '../ui/yaml';
import { Changes, History, Steps } from '../ui/versions';

export default function Spec() {
  const spec = colonyApi.useSpecQuery();
  return (
    <Page title="Spec" lead="What you want. The queen makes it so, and keeps it so.">
      <Box
        sx={{
          display: 'grid',
          gap: 2,
          gridTemplateColumns: { xs: 'minmax(0, 1fr)', lg: 'minmax(0, 3fr) minmax(300px, 2fr)' },
          alignItems: 'start',
        }}
      >
        <Loaded of={spec} rows={10}>
          {(data) => <Draft spec={data} />}
        </Loaded>
        <SpecHelp />
      </Box>
      <Earlier />
    </Page>
  );
}

function textOf(spec: SpecType | null, colony: string): string {
  return stringify(spec ?? { colony, size: 1 });
}

function Draft({ spec }: { spec: SpecDocument }) {
  const role = useAppSelector((state) => state.session.current?.role);
  const colony = colonyApi.useClusterQuery().data?.colony ?? '';
  const writes = holds(role, 'operator');
  // The draft goes on while others change the spec; it is planned against what was read when it was begun.
  const [draft, setDraft] = useState<{ text: string; base: number } | null>(null);
  const [plan, setPlan] = useState<SpecChange | null>(null);
  const [put, putting] = colonyApi.usePutSpecMutation();
  const [error, setError] = useState<unknown>(undefined);
  const dispatch = useAppDispatch();
  const text = draft?.text ?? textOf(spec.spec, colony);
  const base = draft?.base ?? spec.revision;
  const read = useMemo(() => parsed(text), [text]);
  const moved = draft !== null && base !== spec.revision;

  const edit = (next: string) => {
    setDraft({ text: next, base });
    setPlan(null);
    setError(undefined);
  };
  const discard = () => {
    setDraft(null);
    setPlan(null);
    setError(undefined);
  };
  const send = async (dryRun: boolean) => {
    setError(undefined);
    try {
      const change = await put({
        spec: read.value,
        key: newKey(),
        dryRun,
        ifMatch: base > 0 ? base : undefined,
      }).unwrap();
      if (dryRun) {
        setPlan(change);
        return;
      }
      setPlan(null);
      setDraft(null);
      dispatch(
        noted({
          topic: 'done',
          tone: 'success',
          text: change.changed ? 'The spec is in force.' : 'The spec was like that already.',
        }),
      );
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Panel
      title={
        <>
          {writes ? 'Draft' : 'In force'} {draft !== null && <Tag tone="warning">changed</Tag>}
        </>
      }
      aside={
        writes && (
          <>
            <Button disabled={draft === null} color="inherit" onClick={discard}>
              Discard
            </Button>
            <Button
              variant={plan ? 'outlined' : 'contained'}
              disabled={read.error !== ''}
              loading={putting.isLoading && plan === null}
              onClick={() => void send(true)}
            >
              Plan
            </Button>
            {plan && (
              <Button
                variant="contained"
                disabled={!plan.changed}
                loading={putting.isLoading}
                onClick={() => void send(false)}
              >
                Apply
              </Button>
            )}
          </>
        )
      }
    >
      <Stack spacing={2}>
        {moved && (
          <Alert
            severity="warning"
            action={
              <Button color="inherit" onClick={() => setDraft({ text, base: spec.revision })}>
                Keep my draft
              </Button>
            }
          >
            Somebody else changed the spec meanwhile. Compare under history before you plan again.
          </Alert>
        )}
        <Editor
          label="Spec as YAML"
          value={text}
          onChange={edit}
          readOnly={!writes}
          invalid={read.error !== ''}
          describedBy="spec-error"
        />
        <Box id="spec-error" role="status" sx={{ color: 'error.main', '&:empty': { display: 'none' } }}>
          {read.error}
        </Box>
        {error !== undefined && <Failure error={error} />}
        {plan && <Planned plan={plan} />}
      </Stack>
    </Panel>
  );
}

function Planned({ plan }: { plan: SpecChange }) {
  return (
    <Stack spacing={1.5} data-testid="plan">
      <Typography variant="h3">{plan.changed ? 'What the queen will do' : 'Nothing changes'}</Typography>
      {plan.changed && <Steps steps={plan.steps} />}
      {plan.missing_nodes > 0 && (
        <Alert severity="info">{counted(plan.missing_nodes, 'node')} more will be needed.</Alert>
      )}
      {plan.surplus_nodes > 0 && (
        <Alert severity="info">{counted(plan.surplus_nodes, 'node')} will be left over.</Alert>
      )}
      {plan.changes.length > 0 && (
        <>
          <Typography variant="h3">What changes in the spec</Typography>
          <Changes changes={plan.changes} />
        </>
      )}
    </Stack>
  );
}

function Earlier() {
  const role = useAppSelector((state) => state.session.current?.role);
  const history = colonyApi.useSpecHistoryQuery();
  const [rollBack] = colonyApi.useRollBackSpecMutation();
  const [question, setQuestion] = useState<Question | null>(null);
  const [error, setError] = useState<unknown>(undefined);
  const ask = async (version: Version) => {
    setError(undefined);
    try {
      const plan = await rollBack({ revision: version.revision, key: newKey(), dryRun: true }).unwrap();
      setQuestion({
        title: `Roll back to version ${version.version}?`,
        text: <Planned plan={plan} />,
        verb: 'Roll back',
        act: async (key) => {
          await rollBack({ revision: version.revision, key }).unwrap();
          return `The spec of version ${version.version} is in force again.`;
        },
      });
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Panel title="History">
      <Stack spacing={2}>
        {error !== undefined && <Failure error={error} />}
        <History
          of={history}
          useDiff={useSpecDiff}
          onReturn={holds(role, 'operator') ? (version) => void ask(version) : undefined}
        />
      </Stack>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Panel>
  );
}

function useSpecDiff(range: { from: number; to: number } | null) {
  return colonyApi.useSpecDiffQuery(range ?? { from: 1 }, { skip: range === null });
}
