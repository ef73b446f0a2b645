// A secret that was just made: it is in this dialog and nowhere else.

import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Dialog from '@mui/material/Dialog';
import DialogActions from '@mui/material/DialogActions';
import DialogContent from '@mui/material/DialogContent';
import DialogTitle from '@mui/material/DialogTitle';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import { useId, useState } from 'react';
import { MONO } from '../app/theme';
import { CopyIcon } from './icons';

export function ShownOnce({
  title,
  label,
  text,
  warning,
  close,
}: {
  title: string;
  label: string;
  text: string;
  /** What whoever has it can do. */
  warning: string;
  close: () => void;
}) {
  const [copied, setCopied] = useState(false);
  const id = useId();
  return (
    <Dialog open fullWidth maxWidth="sm" aria-labelledby={id}>
      <DialogTitle id={id}>{title}</DialogTitle>
      <DialogContent>
        <Stack spacing={2} sx={{ pt: 1 }}>
          <Alert severity="warning">It is shown only this once. {warning}</Alert>
          <TextField
            label={label}
            value={text}
            multiline
            fullWidth
            slotProps={{ input: { readOnly: true, sx: { fontFamily: MONO, fontSize: '0.85rem' } } }}
          />
        </Stack>
      </DialogContent>
      <DialogActions sx={{ px: 3, pb: 2 }}>
        <Button
          startIcon={<CopyIcon />}
          onClick={() => {
            void navigator.clipboard.writeText(text).then(() => setCopied(true));
          }}
        >
          {copied ? 'Copied' : 'Copy'}
        </Button>
        <Button variant="contained" onClick={close}>
          Done
        </Button>
      </DialogActions>
    </Dialog>
  );
}
