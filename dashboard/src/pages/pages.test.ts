import { expect, test } from 'vitest';
import type { ColonyEvent, Node } from '../api/types';
import { grouped } from './Colony';
import { asCsv, asJsonLines, matching } from './Events';
import { filterOf, lets, sorted } from './nodeTable';
import { each } from './Nodes';

function node(name: string, more: Partial<Node> = {}): Node {
  return {
    id: `id-${name}`, name, address: '10.0.0.1', role: 'worker', status: 'ready', caste: 'web', cordoned: false, labels: {},
    capabilities: { vcpus: 1, ram_mib: 1, disk_gib: 1, zone: 'a' }, ...more,
  } as Node; // prettier-ignore
}

const NODES = [
  node('n10', { labels: { disk: 'ssd' } }),
  node('n2', { status: 'dead', caste: 'store' }),
  node('n1', { cordoned: true, capabilities: { vcpus: 8, ram_mib: 1, disk_gib: 1, zone: '' } }),
];
const found = (query: string) =>
  NODES.filter(lets(filterOf(new URLSearchParams(query)))).map((one) => one.name);

test('a filter in the address lets through what it says', () => {
  expect(found('')).toEqual(['n10', 'n2', 'n1']);
  expect(found('status=dead,suspect')).toEqual(['n2']);
  expect(found('caste=store')).toEqual(['n2']);
  expect(found('zone=')).toEqual(['n1']);
  expect(found('cordoned=yes')).toEqual(['n1']);
  expect(found('label=disk')).toEqual(['n10']);
  expect(found('label=disk=hdd')).toEqual([]);
  expect(found('q=N1 worker')).toEqual(['n10', 'n1']);
});

test('names are sorted as people count, numbers as numbers', () => {
  expect(sorted(NODES, 'name').map((one) => one.name)).toEqual(['n1', 'n2', 'n10']);
  expect(sorted(NODES, '-vcpus')[0]?.name).toBe('n1');
});

test('many are done a few at a time, and each that refuses is named', async () => {
  let running = 0;
  let most = 0;
  const failed = await each(NODES, 2, async (one) => {
    most = Math.max(most, (running += 1));
    await Promise.resolve();
    running -= 1;
    if (one.name === 'n2') throw new Error('no');
  });
  expect(most).toBe(2);
  expect(failed).toEqual(['n2: it was not done']);
});

test('groups are sorted, the spare last', () => {
  const nodes = [node('a', { caste: 'spare' }), node('b', { caste: 'web' }), node('c', { caste: 'db' })];
  expect(grouped(nodes, 'caste').map((group) => group.name)).toEqual(['db', 'web', 'spare']);
});

const EVENT: ColonyEvent = {
  id: 'e', revision: 4, time: 0, term: 1, actor: 'ada', type: 'node.dead', subject: 'n1', message: '=cmd|"x", it said', severity: 'warning', payload: {},
}; // prettier-ignore

test('events are found by text, type, severity and subject', () => {
  const of = (query: string) => matching([EVENT], new URLSearchParams(query)).length;
  expect([of(''), of('type=node.'), of('severity=warning'), of('q=ADA'), of('subject=n1')]).toEqual([
    1, 1, 1, 1, 1,
  ]);
  expect([of('type=queen.'), of('severity=error'), of('q=eve'), of('subject=n2')]).toEqual([0, 0, 0, 0]);
});

test('an export is read back as it was, and runs in no spreadsheet', () => {
  expect(JSON.parse(asJsonLines([EVENT]))).toEqual(EVENT);
  const [, line] = asCsv([EVENT]).split('\r\n');
  expect(line).toBe('4,1970-01-01T00:00:00.000Z,warning,node.dead,n1,ada,1,"\'=cmd|""x"", it said"');
});
