import { expect, test } from 'vitest';
import type { Cluster } from '../api/types';
import { colonyReducer, merged, noted, reigns, type ColonyState } from './colony';

function cluster(queen: { name: string; term: number } | null): Cluster {
  const whole = queen && { id: queen.name, url: 'https://q', since: 0, heir: null, ...queen };
  return { queen: whole, heir: null, castes: [], status: 'healthy' } as unknown as Cluster;
}

function play(...steps: [{ name: string; term: number } | null, number][]): ColonyState {
  return steps.reduce(
    (state, [queen, now]) => colonyReducer(state, reigns({ cluster: cluster(queen), now })),
    colonyReducer(undefined, { type: 'none' }),
  );
}

test('a change of queen is told, with how long the page saw none', () => {
  const vacant = play([{ name: 'a', term: 4 }, 0], [null, 1000]);
  expect(vacant.queen).toBeNull();
  expect(vacant.notices[0]?.text).toMatch(/^a reigns no more/);
  const after = play([{ name: 'a', term: 4 }, 0], [null, 1000], [{ name: 'b', term: 9 }, 1400]);
  expect(after.notices.map((one) => one.text)).toEqual([
    'b reigns in place of a, in term 9. This page saw no queen for 0.4 s.',
  ]);
  expect(after.lost).toBeNull();
});

test('nothing is told of the first queen, nor of the same once more', () => {
  expect(play([{ name: 'a', term: 4 }, 0], [{ name: 'a', term: 4 }, 1]).notices).toEqual([]);
});

test('a member that is behind does not bring an old queen back', () => {
  const state = play([{ name: 'b', term: 9 }, 0], [{ name: 'a', term: 4 }, 1]);
  expect(state.queen?.name).toBe('b');
  expect(state.notices).toEqual([]);
});

test('notices of one topic replace each other, and there are never many', () => {
  let state = play();
  for (let number = 0; number < 9; number += 1) {
    state = colonyReducer(
      state,
      noted({ topic: number % 2 ? 'done' : `t${number}`, tone: 'info', text: String(number) }),
    );
  }
  expect(state.notices).toHaveLength(4);
  expect(state.notices.filter((one) => one.topic === 'done')).toHaveLength(1);
});

test('events are in order and each is there once, whatever order they come in', () => {
  const event = (revision: number, id: string) => ({ revision, id }) as never;
  const known = merged([], [event(5, 'a'), event(7, 'b')]);
  expect(merged(known, [event(5, 'a'), event(7, 'b')])).toBe(known);
  expect(merged(known, [event(3, 'c'), event(7, 'd')]).map((one) => one.id)).toEqual(['c', 'a', 'b', 'd']);
});
