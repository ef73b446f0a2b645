// The parts pages are made of.

import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Chip from '@mui/material/Chip';
import Paper from '@mui/material/Paper';
import Skeleton from '@mui/material/Skeleton';
import Stack from '@mui/material/Stack';
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableHead from '@mui/material/TableHead';
import TableRow from '@mui/material/TableRow';
import Tooltip from '@mui/material/Tooltip';
import Typography from '@mui/material/Typography';
import { useEffect, useRef, type CSSProperties, type ReactNode } from 'react';
import { useLocation } from 'react-router';
import { isProblem, type Severity, type Status } from '../api/types';
import { moment, since } from './format';

export type Tone = 'success' | 'warning' | 'error' | 'info' | 'primary' | 'default';

/** The head of a page. Also names the tab. */
export function Page({
  title,
  aside,
  children,
  lead,
}: {
  title: string;
  lead?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
}) {
  const head = useRef<HTMLHeadingElement>(null);
  const first = useLocation().key === 'default';
  useEffect(() => {
    document.title = `${title} – AWARE`;
  }, [title]);
  // A new page is announced by its title; not the first, where the browser does.
  useEffect(() => {
    if (!first) head.current?.focus({ preventScroll: true });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when the page comes
  }, []);
  return (
    <Stack spacing={2} sx={{ p: { xs: 1.5, sm: 3 }, maxWidth: 1560, mx: 'auto', width: '100%' }}>
      <Stack direction="row" sx={{ alignItems: 'center', flexWrap: 'wrap', gap: 1.5, minHeight: 34 }}>
        <Box sx={{ flexGrow: 1, minWidth: 0 }}>
          <Typography
            variant="h1"
            tabIndex={-1}
            ref={head}
            sx={{ overflowWrap: 'anywhere', outline: 'none' }}
          >
            {title}
          </Typography>
          {lead !== undefined && (
            <Typography component="div" sx={{ color: 'text.secondary', mt: 0.25 }}>
              {lead}
            </Typography>
          )}
        </Box>
        {aside}
      </Stack>
      {children}
    </Stack>
  );
}

export function Panel({
  title,
  aside,
  children,
  flush = false,
}: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  flush?: boolean;
}) {
  return (
    <Paper variant="outlined" component="section" sx={{ overflow: 'hidden', minWidth: 0 }}>
      {(title !== undefined || aside !== undefined) && (
        <Stack
          direction="row"
          sx={{ px: 2, pt: 1.5, pb: flush ? 1 : 0, alignItems: 'center', gap: 1, flexWrap: 'wrap' }}
        >
          <Typography variant="h2" sx={{ flexGrow: 1 }}>
            {title}
          </Typography>
          {aside}
        </Stack>
      )}
      <Box sx={flush ? { overflowX: 'auto' } : { p: 2 }}>{children}</Box>
    </Paper>
  );
}

export function Figure({
  label,
  value,
  note,
  tone,
}: {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  tone?: Tone;
}) {
  return (
    <Box sx={{ minWidth: 0 }}>
      <Typography variant="overline" component="p" sx={{ color: 'text.secondary' }}>
        {label}
      </Typography>
      <Typography
        component="p"
        sx={{
          fontSize: '1.25rem',
          fontWeight: 650,
          lineHeight: 1.3,
          overflowWrap: 'anywhere',
          color: tone && tone !== 'default' ? `${tone}.main` : 'text.primary',
        }}
      >
        {value}
      </Typography>
      {note !== undefined && (
        <Typography variant="body2" component="div" sx={{ color: 'text.secondary' }}>
          {note}
        </Typography>
      )}
    </Box>
  );
}

const STATUS: Record<Status, Tone> = {
  ready: 'success',
  suspect: 'warning',
  dead: 'error',
  left: 'default',
  away: 'default',
};
export const SEVERITY: Record<Severity, Tone> = {
  info: 'default',
  notice: 'info',
  warning: 'warning',
  error: 'error',
};

/** A word with a dot: never by colour alone. */
export function Word({ tone, children }: { tone: Tone; children: ReactNode }) {
  const color = tone === 'default' ? 'text.secondary' : `${tone}.main`;
  return (
    <Box
      component="span"
      sx={{ display: 'inline-flex', alignItems: 'center', gap: 0.75, whiteSpace: 'nowrap', color }}
    >
      <Box
        component="span"
        aria-hidden
        sx={{ width: 8, height: 8, borderRadius: '50%', bgcolor: color, flexShrink: 0 }}
      />
      {children}
    </Box>
  );
}

export function StatusWord({ status }: { status: Status }) {
  return <Word tone={STATUS[status]}>{status}</Word>;
}

export function Tag({ children, tone = 'default' }: { children: ReactNode; tone?: Tone }) {
  return <Chip label={children} variant="outlined" color={tone} sx={{ height: 20, fontSize: '0.72rem' }} />;
}

export function Ago({ at, bare = false }: { at: number; bare?: boolean }) {
  return (
    <Tooltip title={moment(at)}>
      <Box component="time" dateTime={new Date(at * 1000).toISOString()} sx={{ whiteSpace: 'nowrap' }}>
        {since(at)}
        {bare ? '' : ' ago'}
      </Box>
    </Tooltip>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => unknown }) {
  const problem = isProblem(error) ? error : null;
  const forbidden = problem?.status === 403;
  return (
    <Alert
      severity={forbidden ? 'info' : problem?.status === 503 || problem?.status === 0 ? 'warning' : 'error'}
      action={
        retry && !forbidden ? (
          <Button color="inherit" onClick={() => void retry()}>
            Try again
          </Button>
        ) : undefined
      }
    >
      {forbidden ? 'Your role does not allow this. ' : ''}
      {problem?.detail ?? 'Something went wrong on this page.'}
      {problem?.hint ? <Box sx={{ opacity: 0.85 }}>{problem.hint}</Box> : null}
    </Alert>
  );
}

export function Nothing({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <Stack
      sx={{ alignItems: 'center', py: 5, px: 2, gap: 1.5, color: 'text.secondary', textAlign: 'center' }}
    >
      <Typography component="div">{children}</Typography>
      {action}
    </Stack>
  );
}

interface Read<T> {
  currentData?: T | undefined;
  data?: T | undefined;
  error?: unknown;
  isLoading: boolean;
  refetch?: () => unknown;
}

/** What was read, or why it is not there. What was read before stays, under a word that it is not the newest. */
export function Loaded<T>({
  of,
  children,
  rows = 4,
}: {
  of: Read<T>;
  rows?: number;
  children: (data: T) => ReactNode;
}) {
  const data = of.currentData ?? of.data;
  if (data !== undefined) {
    return (
      <>
        {of.error !== undefined && (
          <Box sx={{ mb: 1 }}>
            <Alert severity="warning" variant="outlined">
              Not current: {isProblem(of.error) ? of.error.detail : 'it could not be read again'}.
            </Alert>
          </Box>
        )}
        {children(data)}
      </>
    );
  }
  if (of.error !== undefined)
    return <Failure error={of.error} {...(of.refetch ? { retry: of.refetch } : {})} />;
  return (
    <Stack spacing={1} aria-busy="true" aria-label="Loading" role="status" sx={{ p: 1 }}>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} variant="rounded" height={26} width={`${95 - row * 9}%`} />
      ))}
    </Stack>
  );
}

export interface Column<T> {
  head: string;
  cell: (row: T) => ReactNode;
  number?: boolean;
  width?: number | string;
  /** Its head is for those who listen; the eye sees what it is. */
  unseen?: boolean;
}

const HIDDEN: CSSProperties = {
  position: 'absolute',
  width: 1,
  height: 1,
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
};

/** A table of tens of rows. */
export function Rows<T>({
  label,
  rows,
  columns,
  id,
  empty,
}: {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string | number;
  empty: ReactNode;
}) {
  if (rows.length === 0) return <Nothing>{empty}</Nothing>;
  return (
    <Table size="small" aria-label={label}>
      <TableHead>
        <TableRow>
          {columns.map((column) => (
            <TableCell
              key={column.head}
              align={column.number ? 'right' : 'left'}
              sx={{ width: column.width }}
            >
              {column.unseen ? <span style={HIDDEN}>{column.head}</span> : column.head}
            </TableCell>
          ))}
        </TableRow>
      </TableHead>
      <TableBody>
        {rows.map((row) => (
          <TableRow key={id(row)} hover>
            {columns.map((column) => (
              <TableCell key={column.head} align={column.number ? 'right' : 'left'}>
                {column.cell(row)}
              </TableCell>
            ))}
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}

/** Names and what they have, as a description list. */
export function Facts({ of }: { of: readonly (readonly [string, ReactNode])[] }) {
  return (
    <Box
      component="dl"
      sx={{
        m: 0,
        display: 'grid',
        gridTemplateColumns: 'minmax(110px, max-content) 1fr',
        columnGap: 3,
        rowGap: 1,
      }}
    >
      {of.map(([name, value]) => (
        <Box key={name} sx={{ display: 'contents' }}>
          <Box component="dt" sx={{ color: 'text.secondary' }}>
            {name}
          </Box>
          <Box component="dd" sx={{ m: 0, overflowWrap: 'anywhere' }}>
            {value}
          </Box>
        </Box>
      ))}
    </Box>
  );
}
