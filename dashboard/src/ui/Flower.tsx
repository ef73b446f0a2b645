// The council: the queen in the middle, the other members around her. A seat is a link to its node.

import Box from '@mui/material/Box';
import type { Node } from '../api/types';

const R = 58;
const GAP = 4;
const W = Math.sqrt(3) * R;
const CORNERS = Array.from({ length: 6 }, (_, corner) => {
  const angle = (Math.PI / 180) * (60 * corner - 90);
  const radius = R - GAP / 2;
  return `${(radius * Math.cos(angle)).toFixed(1)},${(radius * Math.sin(angle)).toFixed(1)}`;
}).join(' ');
/** Where the others stand around the middle, in degrees: always balanced, and a council of three in one row. */
const AROUND: readonly (readonly number[])[] = [
  [],
  [0],
  [180, 0],
  [180, 300, 60],
  [240, 300, 120, 60],
  [240, 300, 180, 0, 120],
  [240, 300, 180, 0, 120, 60],
];

function place(index: number, of: number): [number, number] {
  const angle = (Math.PI / 180) * (AROUND[of]?.[index] ?? 0);
  return [W * Math.cos(angle), W * Math.sin(angle)];
}

export interface FlowerProps {
  members: readonly Node[];
  /** Id of the node whose etcd leads. */
  leader: string;
  /** Ids of nodes that have a seat; empty where etcd is its operators' own. */
  seats: ReadonlySet<string>;
  vacantSince: string;
}

export function Flower({ members, leader, seats, vacantSince }: FlowerProps) {
  const queen = members.find((node) => node.role === 'queen');
  const others = members
    .filter((node) => node !== queen)
    .sort((one, other) => (one.rank ?? 99) - (other.rank ?? 99) || one.name.localeCompare(other.name))
    .slice(0, 6);
  const height = others.length > 2 ? 2 * (1.5 * R + R) : 2 * R;
  const width = others.length === 0 ? W : others.length === 4 ? 2 * W : 3 * W;
  return (
    <Box
      component="svg"
      viewBox={`${-width / 2 - 4} ${-height / 2 - 4} ${width + 8} ${height + 8}`}
      aria-label={`The council: ${members.length} members`}
      role="group"
      sx={{
        display: 'block', width: '100%', maxWidth: width * 1.15, mx: 'auto', overflow: 'visible',
        '& polygon': { strokeWidth: 1.5, transition: 'fill 300ms, stroke 300ms' },
        '& a:hover polygon, & a:focus-visible polygon': { strokeWidth: 3, stroke: 'primary.main' },
        '& a:focus-visible': { outline: 'none' },
        '& text': { textAnchor: 'middle', fill: 'var(--mui-palette-text-primary)', fontSize: '11px' },
      }} // prettier-ignore
    >
      <g>
        {queen ? (
          <Seat node={queen} leads={queen.id === leader} seated={seats.size === 0 || seats.has(queen.id)} />
        ) : (
          <Vacant since={vacantSince} />
        )}
      </g>
      {others.map((node, index) => {
        const [x, y] = place(index, others.length);
        return (
          <g key={node.id} transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
            <Seat node={node} leads={node.id === leader} seated={seats.size === 0 || seats.has(node.id)} />
          </g>
        );
      })}
    </Box>
  );
}

function Seat({ node, leads, seated }: { node: Node; leads: boolean; seated: boolean }) {
  const queen = node.role === 'queen';
  const heir = node.role === 'heir';
  const well = node.status === 'ready';
  const fill = queen ? 'nest-queen' : 'nest-comb';
  const said = [node.role, well ? '' : node.status, seated ? '' : 'no seat yet', leads ? 'etcd leader' : '']
    .filter((word) => word !== '')
    .join(', ');
  const name = node.name.length > 13 ? `${node.name.slice(0, 12)}…` : node.name;
  const ink = queen && well ? '#231a05' : undefined;
  return (
    <a href={`#/nodes/${node.id}`} aria-label={`${node.name}: ${said}`}>
      <title>{`${node.name}: ${said}`}</title>
      <polygon
        points={CORNERS}
        fill={well ? `var(--mui-palette-${fill})` : 'var(--mui-palette-background-default)'}
        stroke={
          well
            ? 'var(--mui-palette-primary-light)'
            : `var(--mui-palette-${node.status === 'dead' ? 'error' : 'warning'}-main)`
        }
        strokeDasharray={well ? undefined : '5 4'}
      />
      {queen && <path d="M-13 -24l-4 -13 9 5 8 -11 8 11 9 -5 -4 13z" fill={ink ?? 'currentColor'} />}
      <text y={queen ? -4 : -6} style={{ fontSize: '13px', fontWeight: 650, fill: ink }}>
        {name}
      </text>
      <text y={queen ? 11 : 9} style={{ fill: ink, fontWeight: heir ? 650 : 400 }}>
        {well ? node.role : node.status}
      </text>
      {(leads || !seated) && (
        <text y={28} style={{ fill: ink, fontSize: '10px' }}>
          {leads ? 'etcd leader' : 'no seat yet'}
        </text>
      )}
    </a>
  );
}

function Vacant({ since }: { since: string }) {
  return (
    <>
      <polygon points={CORNERS} fill="none" stroke="var(--mui-palette-warning-main)" strokeDasharray="5 4" />
      <text y="-2" style={{ fontSize: '13px', fontWeight: 650 }}>
        no queen
      </text>
      <text y="14">{since}</text>
    </>
  );
}
