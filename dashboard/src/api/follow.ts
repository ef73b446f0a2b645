// Keeps what is shown current: history first, then events, and a look now and then in case one was missed.

import { useEffect } from 'react';
import { older, restarted } from '../state/colony';
import { useAppDispatch, useAppSelector, type Store } from '../state/store';
import { useStore } from 'react-redux';
import { colonyApi, link } from './colony';
import { LiveEvents } from './live';
import { refreshOf, type Refresh } from './refresh';
import type { ColonyEvent, Ways } from './types';

const WANTED = 200;
const LIST_MS = 2000;

/** The newest events, found by going back in ever longer steps: the API tells them oldest first. */
export async function newestEvents(
  read: (since: number, limit: number) => Promise<{ events: ColonyEvent[]; oldest: number; more: boolean }>,
  revision: number,
): Promise<{ events: ColonyEvent[]; complete: boolean }> {
  for (let back = 1000; ; back *= 4) {
    const since = Math.max(0, revision - back);
    const page = await read(since, 1000);
    const complete = since === 0 || since < page.oldest;
    if (page.events.length >= WANTED || complete || page.more) {
      return page.more ? followed(read, page.events, complete) : { events: page.events, complete };
    }
  }
}

async function followed(
  read: (since: number, limit: number) => Promise<{ events: ColonyEvent[]; more: boolean }>,
  first: ColonyEvent[],
  complete: boolean,
): Promise<{ events: ColonyEvent[]; complete: boolean }> {
  const events = [...first];
  for (let page = 0; page < 20; page += 1) {
    const next = await read(events[events.length - 1]?.revision ?? 0, 1000);
    events.push(...next.events);
    if (!next.more) break;
  }
  return { events, complete };
}

class Follower {
  private readonly live: LiveEvents;
  private listTimer: ReturnType<typeof setTimeout> | undefined;
  private listAt = 0;
  private stopped = false;

  constructor(private readonly store: Store) {
    this.live = new LiveEvents({
      getState: () => store.getState(),
      dispatch: store.dispatch,
      onEvents: (events) => this.apply(refreshOf(events)),
      onGap: () => this.readAnew(),
    });
  }

  async start(): Promise<void> {
    while (!this.ended()) {
      try {
        const revision = await this.readAnew();
        if (this.ended()) return;
        this.store.dispatch(restarted(revision));
        await this.history(revision);
        this.live.start();
        return;
      } catch {
        await new Promise((done) => setTimeout(done, 1500));
        if (this.store.getState().session.current === null) return;
      }
    }
  }

  private ended(): boolean {
    return this.stopped;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.listTimer);
    this.live.stop();
  }

  /** Returns the revision of what was read. */
  private async readAnew(): Promise<number> {
    const cluster = await this.store
      .dispatch(colonyApi.endpoints.cluster.initiate(undefined, { forceRefetch: true, subscribe: false }))
      .unwrap();
    this.store.dispatch(colonyApi.util.invalidateTags(['Nodes', 'Spec', 'Council']));
    return cluster.revision;
  }

  private async history(revision: number): Promise<void> {
    const read = async (since: number, limit: number) => {
      const page = await this.store
        .dispatch(
          colonyApi.endpoints.events.initiate({ since, limit }, { forceRefetch: true, subscribe: false }),
        )
        .unwrap();
      return { ...page, events: page.events as ColonyEvent[] };
    };
    this.store.dispatch(older(await newestEvents(read, revision)));
  }

  private apply({ tags, nodes }: Refresh): void {
    const now = [...tags].filter((tag) => tag !== 'Nodes');
    if (now.length > 0) this.store.dispatch(colonyApi.util.invalidateTags(now));
    if (tags.has('Nodes')) this.listSoon();
    for (const id of nodes) void this.readNode(id);
  }

  /** One node of ten thousand changed: it alone is read, and put in its place. */
  private async readNode(id: string): Promise<void> {
    const read = this.store.dispatch(
      colonyApi.endpoints.node.initiate(id, { forceRefetch: true, subscribe: false }),
    );
    const { data } = await read;
    if (data === undefined) {
      this.listSoon();
      return;
    }
    this.store.dispatch(
      colonyApi.util.updateQueryData('nodes', undefined, (list) => {
        const place = list.nodes.findIndex((node) => node.id === data.id);
        if (place >= 0 && (list.nodes[place]?.revision ?? 0) <= data.revision) list.nodes[place] = data;
      }),
    );
  }

  private listSoon(): void {
    if (this.listTimer !== undefined) return;
    const wait = Math.max(0, this.listAt + LIST_MS - Date.now());
    this.listTimer = setTimeout(() => {
      this.listTimer = undefined;
      this.listAt = Date.now();
      this.store.dispatch(colonyApi.util.invalidateTags(['Nodes']));
    }, wait);
  }
}

/** Follow the colony as long as somebody is logged in. */
export function useFollow(): void {
  const store = useStore() as Store;
  const dispatch = useAppDispatch();
  const loggedIn = useAppSelector((state) => state.session.current !== null);
  const status = useAppSelector((state) => state.colony.link);
  const vacant = useAppSelector((state) => state.colony.queen === null);

  useEffect(() => {
    if (!loggedIn) return undefined;
    const follower = new Follower(store);
    void follower.start();
    return () => follower.stop();
  }, [store, loggedIn]);

  const interval = vacant || status !== 'live' ? 500 : 4000;
  colonyApi.useClusterQuery(undefined, { skip: !loggedIn, pollingInterval: interval, refetchOnFocus: true });
  useEffect(() => {
    if (!loggedIn) return undefined;
    const look = () => {
      void link
        .send({ path: 'v1/council' })
        .then((reply) => link.learn(reply.body as Ways))
        .catch(() => undefined);
    };
    look();
    const timer = setInterval(look, 15_000);
    return () => clearInterval(timer);
  }, [loggedIn]);

  // A line that broke is the first sign of a queen that fell.
  useEffect(() => {
    if (loggedIn && status !== 'live') dispatch(colonyApi.util.invalidateTags(['Cluster']));
  }, [dispatch, loggedIn, status]);
}
