// Text that is code: shown, and edited with its line numbers.

import Box from '@mui/material/Box';
import { useRef } from 'react';
import { MONO } from '../app/theme';

const LINE = 20;

export function Code({ children, label }: { children: string; label: string }) {
  return (
    <Box
      component="pre"
      aria-label={label}
      // A region that scrolls has to be reached by keys.
      tabIndex={0}
      sx={{
        m: 0, p: 1.5, fontFamily: MONO, fontSize: '0.82rem', lineHeight: `${LINE}px`, bgcolor: 'background.default', borderRadius: 1,
        overflow: 'auto', maxHeight: 420, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere',
      }} // prettier-ignore
    >
      {children}
    </Box>
  );
}

export function Editor({
  label,
  value,
  onChange,
  readOnly = false,
  invalid = false,
  describedBy,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  readOnly?: boolean;
  invalid?: boolean;
  describedBy?: string;
}) {
  const gutter = useRef<HTMLDivElement>(null);
  const lines = Math.max(12, value.split('\n').length);
  const font = { fontFamily: MONO, fontSize: '0.85rem', lineHeight: `${LINE}px` };
  return (
    <Box
      sx={{
        display: 'flex', height: Math.min(560, lines * LINE + 24), border: 1, borderColor: invalid ? 'error.main' : 'divider', borderRadius: 1,
        bgcolor: 'background.default', overflow: 'hidden', '&:focus-within': { borderColor: 'primary.main' },
      }} // prettier-ignore
    >
      <Box
        ref={gutter}
        aria-hidden
        sx={{
          ...font,
          color: 'text.secondary',
          textAlign: 'right',
          py: 1.5,
          px: 1,
          overflow: 'hidden',
          userSelect: 'none',
          minWidth: 40,
        }}
      >
        {Array.from({ length: lines }, (_, line) => (
          <div key={line}>{line + 1}</div>
        ))}
      </Box>
      <Box
        component="textarea"
        aria-label={label}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        readOnly={readOnly}
        spellCheck={false}
        wrap="off"
        value={value}
        onChange={(event: React.ChangeEvent<HTMLTextAreaElement>) => onChange(event.target.value)}
        onScroll={(event: React.UIEvent<HTMLTextAreaElement>) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
        sx={{
          ...font,
          flexGrow: 1,
          border: 0,
          outline: 'none',
          resize: 'none',
          bgcolor: 'transparent',
          color: 'text.primary',
          py: 1.5,
          px: 1,
          overflow: 'auto',
        }}
      />
    </Box>
  );
}
