import { expect, test } from 'vitest';
import type { Job, JobLine } from '../../api/types';
import { chosen } from './JobList';
import { hostLines } from './states';

const HOST = { ok: 1, changed: 0, skipped: 0, failed: 0, unreachable: 0, task: 't' };

test('hosts in trouble stand first, and numbers are sorted as people count', () => {
  const hosts_done: Job['hosts_done'] = {
    n10: HOST,
    n2: { ...HOST, changed: 1 },
    n3: { ...HOST, failed: 1 },
    n1: { ...HOST, unreachable: 1 },
  };
  const of = (state: Job['state']) => hostLines({ state, hosts_done }).map(({ name, word }) => [name, word]);
  expect(of('failed')).toEqual([['n1', 'unreachable'], ['n3', 'failed'], ['n2', 'changed'], ['n10', 'ok']]); // prettier-ignore
  expect(of('running').slice(2)).toEqual([['n2', 'at work'], ['n10', 'at work']]); // prettier-ignore
});

test('jobs are found by state and operation, the newest first unless the address says otherwise', () => {
  const job = (id: string, created_at: number, more: Partial<JobLine> = {}) =>
    ({ id, operation: 'scale', state: 'failed', created_at, ...more }) as JobLine;
  const jobs = [job('a', 1), job('b', 2, { operation: 'join' }), job('c', 3, { state: 'running' })];
  const of = (query: string) => chosen(jobs, new URLSearchParams(query)).map((one) => one.id);
  expect(of('')).toEqual(['c', 'b', 'a']);
  expect(of('state=failed')).toEqual(['b', 'a']);
  expect(of('operation=scale&sort=created_at')).toEqual(['a', 'c']);
  expect(of('sort=operation')).toEqual(['b', 'a', 'c']);
});
