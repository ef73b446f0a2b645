// What the table of nodes can show, and which of them a filter lets through.

import Box from '@mui/material/Box';
import Link from '@mui/material/Link';
import type { Node } from '../api/types';
import { mebibytes } from '../ui/format';
import type { GridColumn } from '../ui/Grid';
import { Ago, StatusWord, Tag } from '../ui/parts';

export interface NodeColumn extends GridColumn<Node> {
  value: (node: Node) => string | number;
}

export const COLUMNS: NodeColumn[] = [
  {
    key: 'name', head: 'Name', width: 'minmax(150px, 2fr)', value: (node) => node.name,
    cell: (node) => <Link href={`#/nodes/${node.id}`} sx={{ fontWeight: 600 }}>{node.name}</Link>,
  },
  {
    key: 'status', head: 'Status', width: 'minmax(150px, 1.4fr)', value: (node) => node.status,
    cell: (node) => (
      <Box component="span" sx={{ display: 'inline-flex', gap: 1, alignItems: 'center' }}>
        <StatusWord status={node.status} />
        {node.cordoned && <Tag>{node.drained ? 'drained' : 'cordoned'}</Tag>}
      </Box>
    ),
  },
  {
    key: 'role', head: 'Role', width: 'minmax(84px, 0.8fr)', value: (node) => node.role,
    cell: (node) => (node.role === 'queen' ? <Tag tone="primary">queen</Tag> : node.role),
  },
  { key: 'caste', head: 'Caste', width: 'minmax(90px, 1fr)', value: (node) => node.caste, cell: (node) => node.caste },
  { key: 'address', head: 'Address', width: 'minmax(130px, 1.2fr)', value: (node) => node.address, cell: (node) => node.address },
  { key: 'zone', head: 'Zone', width: 'minmax(80px, 0.8fr)', value: (node) => node.capabilities.zone, cell: (node) => node.capabilities.zone || '–' },
  { key: 'vcpus', head: 'vCPU', width: '72px', number: true, value: (node) => node.capabilities.vcpus, cell: (node) => node.capabilities.vcpus },
  { key: 'memory', head: 'Memory', width: '96px', number: true, value: (node) => node.capabilities.ram_mib, cell: (node) => mebibytes(node.capabilities.ram_mib) },
  { key: 'disk', head: 'Disk', width: '90px', number: true, value: (node) => node.capabilities.disk_gib, cell: (node) => `${node.capabilities.disk_gib} GiB` },
  { key: 'version', head: 'Version', width: '84px', value: (node) => node.version, cell: (node) => node.version },
  { key: 'config', head: 'Configuration', width: '130px', value: (node) => node.config_version, cell: (node) => node.config_version === 0 ? '–' : `${node.config_version}${node.config_applied ? '' : ', not applied'}` },
  { key: 'joined', head: 'Joined', width: '110px', value: (node) => node.joined_at, cell: (node) => <Ago at={node.joined_at} /> },
  { key: 'since', head: 'In status', width: '110px', value: (node) => node.status_since, cell: (node) => <Ago at={node.status_since} /> },
  {
    key: 'labels', head: 'Labels', width: 'minmax(140px, 1.5fr)', sortable: false, value: () => '',
    cell: (node) => Object.entries(node.labels).map(([name, value]) => `${name}=${value}`).join(', ') || '–',
  },
]; // prettier-ignore

export const USUAL = ['name', 'status', 'role', 'caste', 'address', 'zone', 'vcpus', 'memory', 'version'];

export interface Filter {
  text: string;
  status: readonly string[];
  caste: string;
  zone: string | null;
  label: string;
  cordoned: string;
}

export function filterOf(search: URLSearchParams): Filter {
  return {
    text: search.get('q') ?? '',
    status: search.get('status')?.split(',').filter(Boolean) ?? [],
    caste: search.get('caste') ?? '',
    zone: search.get('zone'),
    label: search.get('label') ?? '',
    cordoned: search.get('cordoned') ?? '',
  };
}

export function lets(filter: Filter): (node: Node) => boolean {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const [label = '', value] = filter.label.split('=', 2);
  return (node) =>
    (filter.status.length === 0 || filter.status.includes(node.status)) &&
    (filter.caste === '' || node.caste === filter.caste) &&
    (filter.zone === null || node.capabilities.zone === filter.zone) &&
    (filter.cordoned === '' || node.cordoned === (filter.cordoned === 'yes')) &&
    (label === '' || (label in node.labels && (value === undefined || node.labels[label] === value))) &&
    words.every((word) =>
      `${node.name} ${node.address} ${node.id} ${node.role}`.toLowerCase().includes(word),
    );
}

export function sorted(nodes: readonly Node[], sort: string): Node[] {
  const [sign, key] = sort.startsWith('-') ? [-1, sort.slice(1)] : [1, sort];
  const value = COLUMNS.find((column) => column.key === key)?.value ?? ((node: Node) => node.name);
  const text = new Intl.Collator('en', { numeric: true });
  return [...nodes].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    const order = typeof a === 'number' && typeof b === 'number' ? a - b : text.compare(String(a), String(b));
    return sign * (order || text.compare(one.name, other.name));
  });
}
