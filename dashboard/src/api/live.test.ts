import { beforeEach, expect, test, vi } from 'vitest';
import type { ColonyEvent } from './types';
import { colonyReducer, told, type ColonyState } from '../state/colony';
import { link } from './colony';
import { LiveEvents } from './live';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: () => void = () => undefined;
  onmessage: (message: { data: string }) => void = () => undefined;
  onclose: (closed: { code: number }) => void = () => undefined;
  sent: string[] = [];

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  send(text: string) {
    this.sent.push(text);
  }

  close() {
    this.onclose({ code: 1005 });
  }
}

function event(revision: number, id = `e${revision}`): ColonyEvent {
  return {
    id,
    revision,
    time: 0,
    term: 1,
    actor: 'a',
    type: 'node.changed',
    subject: 's',
    message: id,
    severity: 'info',
    payload: {},
  };
}

let state: ColonyState;

function follow() {
  const live = new LiveEvents({
    getState: () => ({ session: { current: { access: 'token' } }, colony: state }),
    dispatch: ((action: Parameters<typeof colonyReducer>[1]) => {
      state = colonyReducer(state, action);
      return action;
    }) as never,
    onEvents: () => undefined,
    onGap: () => Promise.resolve(90),
  });
  live.start();
  return live;
}

const newest = () => FakeSocket.all[FakeSocket.all.length - 1] as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  FakeSocket.all = [];
  state = { ...colonyReducer(undefined, { type: 'none' }), resume: 40 };
  link.learn({ colony: 'c', term: 1, queen: null, members: ['https://b.example:8443'] });
});

test('the token goes in the first message, never in the address', () => {
  follow();
  newest().onopen();
  expect(newest().url).toMatch(/\/v1\/events\/ws\?since=40$/);
  expect(newest().sent).toEqual(['{"token":"token"}']);
});

test('it resumes where it broke, at another gateway, and nothing is there twice', async () => {
  const live = follow();
  const first = newest();
  first.onopen();
  for (const one of [event(41), event(42, 'x'), event(42, 'y')])
    first.onmessage({ data: JSON.stringify(one) });
  await vi.advanceTimersByTimeAsync(20);
  first.onclose({ code: 1006 });
  await vi.advanceTimersByTimeAsync(20);
  expect(state.link).toBe('interrupted');
  // Another event of revision 42 may have been on its way: it is asked for again.
  expect(newest().url).toMatch(/since=41$/);
  expect(new URL(newest().url).host).not.toBe(new URL(first.url).host);
  newest().onopen();
  for (const one of [event(42, 'x'), event(42, 'y'), event(42, 'z')])
    newest().onmessage({ data: JSON.stringify(one) });
  await vi.advanceTimersByTimeAsync(20);
  expect(state.events.map((one) => one.id)).toEqual(['e41', 'x', 'y', 'z']);
  expect(state.link).toBe('live');
  live.stop();
});

test('where history has a hole everything is read anew', async () => {
  const live = follow();
  state = colonyReducer(state, told([event(41)]));
  newest().onopen();
  newest().onclose({ code: 4410 });
  await vi.advanceTimersByTimeAsync(20);
  expect(state.events).toEqual([]);
  expect(newest().url).toMatch(/since=90$/);
  expect(state.notices[0]?.text).toContain('no longer kept');
  live.stop();
});
