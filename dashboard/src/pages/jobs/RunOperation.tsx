// Run an operation: its parameters as its schema has them, what would happen, and then it happens.

import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { colonyApi, newKey } from '../../api/colony';
import { isProblem, type Operation } from '../../api/types';
import { FormDialog } from '../../ui/FormDialog';
import { words } from '../../ui/format';
import { fieldsOf, typed, type Draft } from '../../ui/schema';
import { SchemaForm } from '../../ui/SchemaForm';
import { Steps } from '../../ui/versions';
import { isPlaybook } from './states';

export function RunOperation({ operation, close }: { operation: Operation; close: () => void }) {
  const fields = useMemo(() => fieldsOf(operation.parameters), [operation]);
  const [draft, setDraft] = useState<Draft>({});
  const [hosts, setHosts] = useState('');
  const [tried, setTried] = useState(false);
  const [plan, setPlan] = useState<string[] | null>(null);
  const [key, setKey] = useState(newKey);
  const [run, { isLoading, error, reset }] = colonyApi.useRunJobMutation();
  const navigate = useNavigate();
  const { values, errors } = useMemo(() => typed(fields, draft), [fields, draft]);
  const refused = isProblem(error) ? (error.field?.replace(/^parameters\./, '') ?? '') : '';
  const shown = Object.fromEntries(Object.entries(errors).filter(([name]) => tried || name in draft));
  const blamed = fields.some(({ name }) => name === refused);

  const changed = () => {
    setPlan(null);
    setKey(newKey());
    reset();
  };
  const send = async () => {
    setTried(true);
    if (Object.keys(errors).length > 0) return;
    const asked = { operation: operation.name, parameters: values, hosts: words(hosts) };
    const { data } = await run(plan ? { ...asked, key } : { ...asked, key: newKey(), dryRun: true });
    if (data === undefined) return;
    if (plan === null) setPlan(data.would);
    else void navigate(`/jobs/${data.id}`);
  };
  return (
    <FormDialog
      title={`Run ${operation.name}`}
      verb={plan ? 'Run' : 'Plan'}
      send={send}
      close={close}
      busy={isLoading}
      error={blamed ? undefined : error}
      wide
      checked={false}
    >
      <Typography sx={{ color: 'text.secondary' }}>{operation.description}</Typography>
      <SchemaForm
        fields={fields}
        draft={draft}
        errors={blamed && isProblem(error) ? { ...shown, [refused]: error.detail } : shown}
        onChange={(next) => {
          setDraft(next);
          changed();
        }}
      />
      {isPlaybook(operation) && (
        <TextField
          label="Only these hosts"
          value={hosts}
          onChange={(event) => {
            setHosts(event.target.value);
            changed();
          }}
          helperText={`Names with commas between. Empty: ${operation.castes.length > 0 ? `living nodes of ${operation.castes.join(', ')}` : 'all living nodes'}.`}
          autoComplete="off"
        />
      )}
      {plan && (
        <>
          <Typography variant="h3">What will happen</Typography>
          <Steps steps={plan} />
        </>
      )}
    </FormDialog>
  );
}
