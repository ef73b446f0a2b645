// What the page knows of its connection, of the reign, and what it has to say about them.

import { createSlice, type PayloadAction } from '@reduxjs/toolkit';
import type { Cluster, ColonyEvent } from '../api/types';

export type LinkStatus = 'connecting' | 'live' | 'interrupted' | 'offline';

export interface Notice {
  id: number;
  tone: 'info' | 'success' | 'warning' | 'error';
  text: string;
  /** Notices of one topic replace each other. */
  topic: string;
}

export interface ColonyState {
  link: LinkStatus;
  /** When something was last heard, Unix milliseconds; 0: never. */
  heardAt: number;
  /** Which node answers, and what it is. */
  node: string;
  nodeRole: string;
  queen: { name: string; term: number; since: number } | null;
  /** The last queen, and since when the page knows of none (Unix milliseconds). */
  lost: { name: string; term: number; at: number } | null;
  notices: Notice[];
  events: ColonyEvent[];
  /** Nothing older is kept by the colony. */
  complete: boolean;
  /** From where a stream goes on: all of this revision but perhaps not all of the next was seen. */
  resume: number;
}

export const KEEP = 10_000;
let notices = 0;

const initial: ColonyState = {
  link: 'connecting',
  heardAt: 0,
  node: '',
  nodeRole: '',
  queen: null,
  lost: null,
  notices: [],
  events: [],
  complete: false,
  resume: 0,
};

function say(state: ColonyState, topic: string, tone: Notice['tone'], text: string): void {
  notices += 1;
  state.notices = [
    { id: notices, tone, text, topic },
    ...state.notices.filter((one) => one.topic !== topic),
  ].slice(0, 4);
}

const slice = createSlice({
  name: 'colony',
  initialState: initial,
  reducers: {
    linked: (state, { payload }: PayloadAction<LinkStatus>) => {
      state.link = payload;
    },
    heard: (state, { payload }: PayloadAction<{ at: number; node: string; role: string }>) => {
      state.heardAt = payload.at;
      if (state.link === 'offline') state.link = 'interrupted';
      if (payload.node !== '') state.node = payload.node;
      if (payload.role !== '') state.nodeRole = payload.role;
    },
    reigns: (state, { payload: { cluster, now } }: PayloadAction<{ cluster: Cluster; now: number }>) => {
      const before = state.queen;
      if (cluster.queen === null) {
        if (before !== null) {
          state.lost = { name: before.name, term: before.term, at: now };
          state.queen = null;
          say(
            state,
            'reign',
            'warning',
            `${before.name} reigns no more. The colony elects a queen; reading goes on, writes wait for her.`,
          );
        }
        return;
      }
      const { name, term, since } = cluster.queen;
      const last = before ?? state.lost;
      // An answer of a member that is behind says nothing new.
      if (last !== null && term < last.term) return;
      if (last !== null && term > last.term)
        say(state, 'reign', 'success', succession(last, cluster.queen, state.lost, now));
      else if (before === null && state.lost !== null) say(state, 'reign', 'success', `${name} reigns on.`);
      state.queen = { name, term, since };
      state.lost = null;
    },
    told: (state, { payload }: PayloadAction<ColonyEvent[]>) => {
      state.events = merged(state.events, payload);
      const last = state.events[state.events.length - 1];
      // Another event of that revision may still be on its way: it is asked for again, and what is known is left out.
      if (last !== undefined) state.resume = Math.max(state.resume, last.revision - 1);
    },
    older: (state, { payload }: PayloadAction<{ events: ColonyEvent[]; complete: boolean }>) => {
      state.events = merged(state.events, payload.events);
      state.complete = payload.complete;
    },
    restarted: (state, { payload }: PayloadAction<number>) => {
      state.events = [];
      state.complete = false;
      state.resume = payload;
    },
    noted: (state, { payload }: PayloadAction<Omit<Notice, 'id'>>) => {
      say(state, payload.topic, payload.tone, payload.text);
    },
    dismissed: (state, { payload }: PayloadAction<number>) => {
      state.notices = state.notices.filter((one) => one.id !== payload);
    },
    forgotten: () => initial,
  },
});

function succession(
  last: { name: string; term: number },
  queen: { name: string; term: number },
  lost: ColonyState['lost'],
  now: number,
): string {
  const gap =
    lost === null ? '' : ` This page saw no queen for ${Math.max(0.1, (now - lost.at) / 1000).toFixed(1)} s.`;
  const who =
    last.name === queen.name ? `${queen.name} reigns again` : `${queen.name} reigns in place of ${last.name}`;
  return `${who}, in term ${queen.term}.${gap}`;
}

/** All events in order, each once, the newest {@link KEEP}. Events of one revision keep the order they came in. */
export function merged(known: ColonyEvent[], more: ColonyEvent[]): ColonyEvent[] {
  const ids = new Set(known.map((one) => one.id));
  const added = more.filter((one) => !ids.has(one.id) && ids.add(one.id));
  if (added.length === 0) return known;
  const lastKnown = known[known.length - 1]?.revision ?? 0;
  const all = [...known, ...added];
  if ((added[0]?.revision ?? 0) < lastKnown) all.sort((one, other) => one.revision - other.revision);
  return all.length > KEEP ? all.slice(all.length - KEEP) : all;
}

export const { linked, heard, reigns, told, older, restarted, noted, dismissed, forgotten } = slice.actions;
export const colonyReducer = slice.reducer;
