// Events as they happen, over one WebSocket, resumed where it broke, at whichever gateway answers.

import type { Dispatch } from '@reduxjs/toolkit';
import { ended } from '../state/session';
import { linked, noted, restarted, told } from '../state/colony';
import { link, renew } from './colony';
import type { ColonyEvent } from './types';

const RESTART = 1012;
const TOKEN_ENDED = 4401;
const TRIMMED = 4410;
const FLUSH_MS = 16;
/** A gateway says something every 15 seconds at least by pings the browser answers; a dead line is seen by polling. */
const RETRY_MS = [0, 250, 500, 1000, 2000, 4000];

export interface LiveOptions {
  getState: () => { session: { current: { access: string } | null }; colony: { resume: number } };
  dispatch: Dispatch;
  onEvents: (events: ColonyEvent[]) => void;
  /** The history has a hole: everything has to be read anew. Returns the revision to go on from. */
  onGap: () => Promise<number>;
}

export class LiveEvents {
  private socket: WebSocket | null = null;
  private stopped = false;
  private failures = 0;
  private waiting: ColonyEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: LiveOptions) {}

  start(): void {
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }

  private connect(): void {
    if (this.stopped) return;
    const state = this.options.getState();
    const token = state.session.current?.access;
    const base = link.bases[0];
    if (token === undefined || base === undefined) return;
    const socket = new WebSocket(`${base.replace(/^http/, 'ws')}v1/events/ws?since=${state.colony.resume}`);
    this.socket = socket;
    let opened = false;
    // Some networks swallow what they do not like: an open that never comes is a failure too.
    const late = setTimeout(() => socket.close(), 8000);
    socket.onopen = () => {
      opened = true;
      clearTimeout(late);
      socket.send(JSON.stringify({ token }));
      this.failures = 0;
      this.options.dispatch(linked('live'));
    };
    socket.onmessage = (message) => this.take(String(message.data));
    socket.onclose = (closed) => {
      clearTimeout(late);
      if (this.socket !== socket) return;
      if (!opened || closed.code === RESTART || closed.code === 1006) link.failed(base);
      void this.again(closed.code);
    };
  }

  private async again(code: number): Promise<void> {
    if (this.stopped) return;
    const { dispatch, getState, onGap } = this.options;
    dispatch(linked('interrupted'));
    if (
      code === TOKEN_ENDED &&
      !(await renew(getState, dispatch as (action: unknown) => unknown).catch(() => true))
    ) {
      dispatch(ended('Your session has ended.'));
      return;
    }
    if (code === TRIMMED) {
      dispatch(restarted(await onGap().catch(() => 0)));
      dispatch(
        noted({
          topic: 'gap',
          tone: 'info',
          text: 'Some history is no longer kept; what you see was read anew.',
        }),
      );
    }
    const delay = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] ?? 4000;
    this.failures += 1;
    if (this.failures > link.bases.length + 1) dispatch(linked('offline'));
    setTimeout(() => this.connect(), delay);
  }

  private take(text: string): void {
    this.waiting.push(JSON.parse(text) as ColonyEvent);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const events = this.waiting;
      this.waiting = [];
      this.options.dispatch(told(events));
      this.options.onEvents(events);
    }, FLUSH_MS);
  }
}
