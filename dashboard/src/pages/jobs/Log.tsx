import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import FormControlLabel from '@mui/material/FormControlLabel';
import Switch from '@mui/material/Switch';
import { useEffect, useRef, useState } from 'react';
import { useJobLog, type Printed } from '../../api/jobLog';
import type { Job } from '../../api/types';
import { MONO } from '../../app/theme';
import { bytes } from '../../ui/format';
import { DownloadIcon } from '../../ui/icons';
import { Failure, Nothing, Panel, Word, type Tone } from '../../ui/parts';
import { save } from '../../ui/save';

/** Characters that are shown; a browser takes its time with more. */
const SHOWN = 400_000;
const HOW: Record<Printed['status'], [Tone, string]> = {
  connecting: ['default', 'connecting'],
  live: ['success', 'live'],
  interrupted: ['warning', 'reconnecting'],
  complete: ['default', 'complete'],
  refused: ['error', 'refused'],
};

export function NoLog() {
  return (
    <Panel title="Log">
      <Alert severity="info">Your role does not allow this. What jobs print is for operators.</Alert>
    </Panel>
  );
}

export function Log({ job }: { job: Job }) {
  const log = useJobLog(job.id);
  const [follows, setFollows] = useState(true);
  const [tone, word] = HOW[log.status];
  return (
    <Panel
      title="Log"
      aside={
        <>
          <Box role="status" aria-label="Log" sx={{ fontSize: '0.85rem' }}>
            <Word tone={tone}>{word}</Word>
          </Box>
          <FormControlLabel
            control={<Switch size="small" checked={follows} onChange={(_, on) => setFollows(on)} />}
            label="Follow"
            sx={{ mx: 0 }}
          />
          <Button
            startIcon={<DownloadIcon />}
            color="inherit"
            disabled={log.text === ''}
            onClick={() => save(`${job.operation}-${job.id}.log`, 'text/plain', log.text)}
          >
            Download
          </Button>
        </>
      }
    >
      {log.problem !== undefined && <Failure error={log.problem} />}
      {log.cut > 0 && (
        <Alert severity="info" sx={{ mb: 1 }}>
          {bytes(log.cut)} in the middle are left out: <code>policies.jobs.log_kib</code> says how much is
          kept.
        </Alert>
      )}
      {log.text === '' ? (
        log.problem === undefined && (
          <Nothing>{log.status === 'complete' ? 'It printed nothing.' : 'Nothing is printed yet.'}</Nothing>
        )
      ) : (
        <Text text={log.text} follows={follows} />
      )}
    </Panel>
  );
}

function Text({ text, follows }: { text: string; follows: boolean }) {
  const frame = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (follows && frame.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, [text, follows]);
  const left = text.length - SHOWN;
  return (
    <Box
      component="pre"
      ref={frame}
      role="region"
      aria-label="What it printed"
      // A region that scrolls has to be reached by keys.
      tabIndex={0}
      sx={{
        m: 0, p: 1.5, fontFamily: MONO, fontSize: '0.8rem', lineHeight: 1.5, bgcolor: 'background.default', borderRadius: 1,
        overflow: 'auto', height: 'min(52vh, 520px)', whiteSpace: 'pre-wrap', overflowWrap: 'anywhere',
      }} // prettier-ignore
    >
      {left > 0 ? `[${bytes(left)} before this: download the whole]\n${text.slice(left)}` : text}
    </Box>
  );
}
