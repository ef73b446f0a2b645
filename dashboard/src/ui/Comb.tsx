// Many nodes as the cells of a comb, drawn on a canvas: ten or ten thousand, each one to be pointed at.

import Box from '@mui/material/Box';
import { useColorScheme } from '@mui/material/styles';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Node, Status } from '../api/types';

export interface Geometry {
  columns: number;
  rows: number;
  /** From middle to middle in a row, CSS pixels. */
  pitch: number;
  height: number;
}

const ROW = Math.sqrt(3) / 2;

/** Cells as large as ``pitch`` in a comb as wide as it may be. Every other row stands half a cell to the right. */
export function geometry(cells: number, width: number, pitch: number): Geometry {
  const columns = Math.max(1, Math.floor((width - pitch / 2) / pitch));
  const rows = Math.ceil(cells / columns);
  return {
    columns,
    rows,
    pitch,
    height: rows === 0 ? 0 : Math.ceil((rows - 1) * pitch * ROW + pitch * 1.16),
  };
}

/** The largest cells with which all of them have room. */
export function pitchFor(cells: number, width: number, height: number): number {
  const fits = Math.sqrt((width * height) / Math.max(1, cells) / ROW);
  return Math.max(4, Math.min(26, Math.floor(fits)));
}

export function middle(index: number, { columns, pitch }: Geometry): [number, number] {
  const row = Math.floor(index / columns);
  return [(index % columns) * pitch + pitch / 2 + (row % 2) * (pitch / 2), row * pitch * ROW + pitch * 0.58];
}

/** Which cell is there; -1: none. */
export function cellAt(x: number, y: number, cells: number, shape: Geometry): number {
  const row = Math.max(
    0,
    Math.min(shape.rows - 1, Math.round((y - shape.pitch * 0.58) / (shape.pitch * ROW))),
  );
  const column = Math.round((x - shape.pitch / 2 - (row % 2) * (shape.pitch / 2)) / shape.pitch);
  const index = row * shape.columns + column;
  return column >= 0 && column < shape.columns && index < cells ? index : -1;
}

const ORDER: Record<Status, number> = { dead: 0, suspect: 1, ready: 2, away: 3, left: 4 };

/** Trouble first: among thousands it is seen at the top left. */
export function arranged(nodes: readonly Node[]): Node[] {
  return [...nodes].sort(
    (one, other) =>
      ORDER[one.status] - ORDER[other.status] ||
      Number(other.cordoned) - Number(one.cordoned) ||
      (one.name < other.name ? -1 : 1),
  );
}

export function Comb({
  nodes,
  pitch,
  label,
  onOpen,
}: {
  nodes: readonly Node[];
  pitch: number;
  label: string;
  onOpen: (node: Node) => void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [over, setOver] = useState(-1);
  const { mode, systemMode } = useColorScheme();
  const shape = useMemo(
    () => geometry(nodes.length, Math.max(width, pitch * 2), pitch),
    [nodes.length, width, pitch],
  );

  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const scale = window.devicePixelRatio || 1;
    element.width = Math.round(width * scale);
    element.height = Math.round(shape.height * scale);
    context.scale(scale, scale);
    const style = getComputedStyle(element);
    const color = (name: string) => style.getPropertyValue(`--mui-palette-${name}`).trim();
    const paint: Record<Status, string> = {
      ready: color('nest-queen'),
      suspect: color('warning-main'),
      dead: color('error-main'),
      away: color('divider'),
      left: color('divider'),
    };
    const radius = (pitch / 2 / ROW) * (pitch > 8 ? 0.9 : 0.94);
    nodes.forEach((node, index) => {
      const [x, y] = middle(index, shape);
      context.beginPath();
      for (let corner = 0; corner < 6; corner += 1) {
        const angle = (Math.PI / 3) * corner - Math.PI / 2;
        context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
      }
      context.closePath();
      context.fillStyle = paint[node.status];
      context.globalAlpha = node.cordoned ? 0.35 : 1;
      // Who is suspect is hollow: told from the others by its shape as well.
      if (node.status !== 'suspect') context.fill();
      context.globalAlpha = 1;
      if (index === over || node.status === 'suspect' || (node.cordoned && pitch > 8)) {
        context.strokeStyle = index === over ? color('text-primary') : paint[node.status];
        context.lineWidth = index === over || (node.status === 'suspect' && pitch > 8) ? 2 : 1.2;
        context.stroke();
      }
    });
  }, [nodes, width, pitch, over, mode, systemMode, shape]);

  const place = (event: React.MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return cellAt(event.clientX - box.left, event.clientY - box.top, nodes.length, shape);
  };
  const shown = nodes[over];
  return (
    <Box ref={frame} sx={{ position: 'relative', width: '100%' }}>
      {/* For the eye and the mouse; the same is told by the heading's link, in the table of nodes. */}
      <Box
        component="canvas"
        ref={canvas}
        role="img"
        aria-label={label}
        sx={{ display: 'block', width: '100%', height: shape.height, cursor: shown ? 'pointer' : 'default' }}
        onMouseMove={(event: React.MouseEvent) => setOver(place(event))}
        onMouseLeave={() => setOver(-1)}
        onClick={(event: React.MouseEvent) => {
          const node = nodes[place(event)];
          if (node) onOpen(node);
        }}
      />
      {shown && (
        <Box
          aria-hidden
          sx={{
            position: 'absolute', pointerEvents: 'none', zIndex: 1, px: 1, py: 0.5, borderRadius: 1, fontSize: '0.78rem', whiteSpace: 'nowrap',
            bgcolor: 'text.primary', color: 'background.paper', left: Math.min(middle(over, shape)[0] + 10, Math.max(0, width - 190)), top: middle(over, shape)[1] + 10,
          }} // prettier-ignore
        >
          {shown.name} · {shown.status}
          {shown.cordoned ? ', cordoned' : ''}
        </Box>
      )}
    </Box>
  );
}
