// A dialog in which something is filled in and sent.

import Button from '@mui/material/Button';
import Dialog from '@mui/material/Dialog';
import DialogActions from '@mui/material/DialogActions';
import DialogContent from '@mui/material/DialogContent';
import DialogTitle from '@mui/material/DialogTitle';
import Stack from '@mui/material/Stack';
import { useId, type ReactNode } from 'react';
import { Failure } from './parts';

export function FormDialog({
  title,
  verb,
  send,
  close,
  busy,
  valid = true,
  error,
  wide = false,
  checked = true,
  children,
}: {
  title: string;
  /** What the button says. */
  verb: string;
  send: () => Promise<void>;
  close: () => void;
  busy: boolean;
  valid?: boolean;
  /** Why it was refused; undefined: it was not. */
  error?: unknown;
  wide?: boolean;
  /** The browser says what is missing; otherwise the form does. */
  checked?: boolean;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <Dialog
      open
      onClose={busy ? undefined : close}
      fullWidth
      maxWidth={wide ? 'sm' : 'xs'}
      aria-labelledby={id}
    >
      <form
        noValidate={!checked}
        onSubmit={(event) => {
          event.preventDefault();
          if (valid && !busy) void send();
        }}
      >
        <DialogTitle id={id}>{title}</DialogTitle>
        <DialogContent>
          <Stack spacing={2} sx={{ pt: 1 }}>
            {children}
            {error !== undefined && <Failure error={error} />}
          </Stack>
        </DialogContent>
        <DialogActions sx={{ px: 3, pb: 2 }}>
          <Button onClick={close} color="inherit" disabled={busy}>
            Cancel
          </Button>
          <Button type="submit" variant="contained" loading={busy} disabled={!valid}>
            {verb}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
