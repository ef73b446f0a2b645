// A table of any length: only the rows that are seen are there.

import Box from '@mui/material/Box';
import Checkbox from '@mui/material/Checkbox';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, type ReactNode } from 'react';
import { DownIcon, UpIcon } from './icons';

export interface GridColumn<T> {
  key: string;
  head: string;
  /** A track of CSS grid. */
  width: string;
  cell: (row: T) => ReactNode;
  number?: boolean;
  sortable?: boolean;
}

export interface GridProps<T> {
  label: string;
  rows: readonly T[];
  columns: readonly GridColumn<T>[];
  id: (row: T) => string;
  name: (row: T) => string;
  sort: string;
  onSort: (key: string) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (chosen: ReadonlySet<string>) => void;
  height: string;
}

const ROW = 40;

/** The least a track takes, in pixels. */
export function least(track: string): number {
  return Number(/(\d+)px/.exec(track)?.[1] ?? 0);
}

export function Grid<T>({
  label,
  rows,
  columns,
  id,
  name,
  sort,
  onSort,
  selected,
  onSelect,
  height,
}: GridProps<T>) {
  const frame = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its own state tells it what to draw again
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const selects = selected !== undefined && onSelect !== undefined;
  const tracks = [...(selects ? ['44px'] : []), ...columns.map((column) => column.width)];
  // All rows are as wide as all of their least tracks, whatever is in them: columns stand under each other.
  const minWidth = tracks.reduce((sum, track) => sum + least(track), 16);
  const line = {
    display: 'grid',
    gridTemplateColumns: tracks.join(' '),
    alignItems: 'center',
    px: 1,
    minWidth,
    width: '100%',
  };
  const all = selects && rows.length > 0 && rows.every((row) => selected.has(id(row)));
  const some = selects && rows.some((row) => selected.has(id(row)));
  const [descending, by] = sort.startsWith('-') ? [true, sort.slice(1)] : [false, sort];
  const toggle = (key: string) => {
    const next = new Set(selected);
    if (!next.delete(key)) next.add(key);
    onSelect?.(next);
  };
  return (
    <Box
      ref={frame}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      // A region that scrolls has to be reached by keys.
      tabIndex={0}
      sx={{ height, minHeight: 240, overflow: 'auto', contain: 'strict' }}
    >
      <Box
        role="rowgroup"
        sx={{ position: 'sticky', top: 0, zIndex: 2, bgcolor: 'background.paper', minWidth }}
      >
        <Box
          role="row"
          aria-rowindex={1}
          sx={{ ...line, height: ROW, borderBottom: 1, borderColor: 'divider' }}
        >
          {selects && (
            <Box role="columnheader">
              <Checkbox
                size="small"
                checked={all}
                indeterminate={some && !all}
                slotProps={{ input: { 'aria-label': 'Select all rows' } }}
                onChange={() => onSelect(all ? new Set() : new Set(rows.map(id)))}
              />
            </Box>
          )}
          {columns.map((column) => {
            const active = column.key === by;
            return (
              <Box
                key={column.key}
                role="columnheader"
                aria-sort={active ? (descending ? 'descending' : 'ascending') : undefined}
                sx={{ px: 1, textAlign: column.number ? 'right' : 'left' }}
              >
                {column.sortable === false ? (
                  <Box component="span" sx={{ fontWeight: 600, fontSize: '0.8rem', color: 'text.secondary' }}>
                    {column.head}
                  </Box>
                ) : (
                  <Box
                    component="button"
                    type="button"
                    onClick={() => onSort(active && !descending ? `-${column.key}` : column.key)}
                    sx={{
                      all: 'unset', cursor: 'pointer', fontWeight: 600, fontSize: '0.8rem', color: active ? 'text.primary' : 'text.secondary',
                      display: 'inline-flex', alignItems: 'center', gap: 0.25, borderRadius: 1,
                      '&:focus-visible': { outline: '2px solid', outlineColor: 'primary.main' },
                    }} // prettier-ignore
                  >
                    {column.head}
                    {active &&
                      (descending ? <DownIcon sx={{ fontSize: 14 }} /> : <UpIcon sx={{ fontSize: 14 }} />)}
                  </Box>
                )}
              </Box>
            );
          })}
        </Box>
      </Box>
      <Box role="rowgroup" sx={{ height: virtual.getTotalSize(), position: 'relative', minWidth }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const key = id(row);
          const chosen = selected?.has(key) ?? false;
          return (
            <Box
              key={key}
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={selects ? chosen : undefined}
              style={{ transform: `translateY(${item.start}px)` }}
              sx={{
                ...line, position: 'absolute', top: 0, left: 0, height: ROW, borderBottom: 1, borderColor: 'divider',
                bgcolor: chosen ? 'action.selected' : undefined, '&:hover': { bgcolor: 'action.hover' },
              }} // prettier-ignore
            >
              {selects && (
                <Box role="cell">
                  <Checkbox
                    size="small"
                    checked={chosen}
                    onChange={() => toggle(key)}
                    slotProps={{ input: { 'aria-label': `Select ${name(row)}` } }}
                  />
                </Box>
              )}
              {columns.map((column) => (
                <Box
                  key={column.key}
                  role="cell"
                  sx={{
                    px: 1,
                    overflow: 'hidden',
                    textOverflow: 'ellipsis',
                    whiteSpace: 'nowrap',
                    textAlign: column.number ? 'right' : 'left',
                  }}
                >
                  {column.cell(row)}
                </Box>
              ))}
            </Box>
          );
        })}
      </Box>
    </Box>
  );
}
