// Asks before something is done, and says what became of it.

import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Dialog from '@mui/material/Dialog';
import DialogActions from '@mui/material/DialogActions';
import DialogContent from '@mui/material/DialogContent';
import DialogTitle from '@mui/material/DialogTitle';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useId, useState, type ReactNode } from 'react';
import { newKey } from '../api/colony';
import { isProblem } from '../api/types';
import { noted } from '../state/colony';
import { useAppDispatch } from '../state/store';
import { Failure } from './parts';

export interface Question {
  title: string;
  /** What comes of it, in a sentence or two. */
  text?: ReactNode;
  /** What the button says. */
  verb: string;
  danger?: boolean;
  /** To be typed before it goes on, where it cannot be undone. */
  typed?: string;
  /** Does it; ``key`` stays the same when it is tried again. Returns what to tell. */
  act: (key: string) => Promise<string | undefined>;
  fields?: ReactNode;
}

export function Confirm({ question, close }: { question: Question | null; close: () => void }) {
  return question === null ? null : <Asked key={question.title} question={question} close={close} />;
}

function Asked({ question, close }: { question: Question; close: () => void }) {
  const [key] = useState(newKey);
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(undefined);
  const dispatch = useAppDispatch();
  const id = useId();
  const ready = question.typed === undefined || typed === question.typed;

  const act = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const said = await question.act(key);
      if (said) dispatch(noted({ topic: 'done', tone: 'success', text: said }));
      close();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog open onClose={busy ? undefined : close} aria-labelledby={id} maxWidth="sm" fullWidth>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) void act();
        }}
      >
        <DialogTitle id={id}>{question.title}</DialogTitle>
        <DialogContent>
          <Stack spacing={2} sx={{ pt: 0.5 }}>
            {question.text !== undefined && <Typography component="div">{question.text}</Typography>}
            {question.fields}
            {question.typed !== undefined && (
              <TextField
                label={`Type ${question.typed} to go on`}
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
                autoComplete="off"
                fullWidth
              />
            )}
            {error !== undefined &&
              (isProblem(error) ? (
                <Failure error={error} />
              ) : (
                <Alert severity="error">{error instanceof Error ? error.message : 'It was not done.'}</Alert>
              ))}
          </Stack>
        </DialogContent>
        <DialogActions sx={{ px: 3, pb: 2 }}>
          <Button onClick={close} disabled={busy} color="inherit">
            Cancel
          </Button>
          <Button
            type="submit"
            variant="contained"
            color={question.danger ? 'error' : 'primary'}
            disabled={!ready}
            loading={busy}
          >
            {question.verb}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
