import { expect, test, vi } from 'vitest';
import { newestEvents } from './follow';
import { refreshOf } from './refresh';
import type { ColonyEvent } from './types';

function event(revision: number, type = 'node.changed', subject = `n${revision}`): ColonyEvent {
  return {
    id: `e${revision}${subject}`,
    revision,
    time: 0,
    term: 1,
    actor: 'a',
    type,
    subject,
    message: '',
    severity: 'info',
    payload: {},
  };
}

/** A colony with an event at each of these revisions, told oldest first. */
function history(revisions: number[], oldest = revisions[0] ?? 0) {
  return vi.fn((since: number, limit: number) => {
    const after = revisions.filter((revision) => revision > since);
    return Promise.resolve({
      events: after.slice(0, limit).map((one) => event(one)),
      more: after.length > limit,
      oldest,
    });
  });
}

test('the newest events are found, however sparse they are', async () => {
  const sparse = Array.from({ length: 1000 }, (_, number) => 1 + number * 500);
  const read = history(sparse);
  const { events, complete } = await newestEvents(read, 500_000);
  expect(events.length).toBeGreaterThanOrEqual(200);
  expect(events[events.length - 1]?.revision).toBe(sparse[999]);
  expect(complete).toBe(false);
  expect(read.mock.calls.length).toBeLessThan(8);
});

test('and however dense', async () => {
  const dense = Array.from({ length: 3000 }, (_, number) => 7000 + number / 4);
  const { events } = await newestEvents(history(dense), 7750);
  expect(events[events.length - 1]?.revision).toBe(dense[2999]);
  expect(new Set(events.map((one) => one.id)).size).toBe(events.length);
});

test('a young colony is known from its beginning', async () => {
  expect((await newestEvents(history([3, 9, 12]), 40)).complete).toBe(true);
});

test('a node that changed is read alone, many are read as a list', () => {
  const one = refreshOf([event(1, 'node.suspect', 'a')]);
  expect([[...one.tags], [...one.nodes]]).toEqual([['Cluster'], ['a']]);
  const many = refreshOf(Array.from({ length: 30 }, (_, number) => event(number, 'node.ready')));
  expect([many.tags.has('Nodes'), many.nodes.size]).toEqual([true, 0]);
  expect(refreshOf([event(1, 'node.joined')]).tags.has('Nodes')).toBe(true);
  expect(refreshOf([event(1, 'queen.elected')]).tags).toEqual(
    new Set(['Cluster', 'Nodes', 'Council', 'Election']),
  );
  expect(refreshOf([event(1, 'something.new')]).tags).toEqual(new Set(['Cluster']));
});
