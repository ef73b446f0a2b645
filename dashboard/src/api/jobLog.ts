// What a job prints, as it does, over any break: from the part after the last one that was seen.

import { useEffect, useReducer } from 'react';
import { useStore } from 'react-redux';
import type { Store } from '../state/store';
import { colonyApi, openStream } from './colony';
import { problemOf } from './link';
import { SentEvents, type SentEvent } from './sentEvents';
import type { Job, JobLog, Problem } from './types';

/** A gateway gives a sign of life every 15 seconds. */
const SILENT_MS = 45_000;
const RETRY_MS = [0, 500, 1000, 2000, 4000];

export interface Printed {
  text: string;
  /** Where the next part begins. */
  after: number;
  /** Bytes that were left out. */
  cut: number;
  status: 'connecting' | 'live' | 'interrupted' | 'complete' | 'refused';
  problem?: Problem;
}

export const NOTHING_YET: Printed = { text: '', after: 0, cut: 0, status: 'connecting' };

export type LogEvent =
  | { type: 'log'; log: JobLog }
  | { type: 'live' | 'interrupted' | 'complete' }
  | { type: 'refused'; problem: Problem }
  | { type: 'forgotten' };

export function printed(state: Printed, event: LogEvent): Printed {
  switch (event.type) {
    case 'log': {
      const { log } = event;
      // A part that was seen already, from a stream that was given up, is not shown twice.
      if (log.after <= state.after) return { ...state, cut: log.cut };
      return { ...state, text: state.text + log.text, after: log.after, cut: log.cut };
    }
    case 'refused':
      return { ...state, status: 'refused', problem: event.problem };
    case 'forgotten':
      return NOTHING_YET;
    default:
      return { ...state, status: event.type };
  }
}

export interface Following {
  open: (start: number, signal: AbortSignal) => Promise<Response | null>;
  tell: (event: LogEvent) => void;
  onJob: (job: Job) => void;
  sleep?: (ms: number) => Promise<void>;
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** Read until the log is complete, the gateway refuses, or ``signal`` ends it. */
export async function follow(
  { open, tell, onJob, sleep = pause }: Following,
  signal: AbortSignal,
): Promise<void> {
  const at = { start: 0, ended: false, complete: false };
  const over = () => signal.aborted || at.complete;
  const take = (event: SentEvent) => {
    if (event.type === 'job.log') {
      const log = JSON.parse(event.data) as JobLog;
      [at.start, at.complete] = [log.after, log.complete];
      tell({ type: 'log', log });
    } else if (event.type === 'job.changed') {
      const job = JSON.parse(event.data) as Job;
      onJob(job);
      at.ended = job.ended_at > 0;
    } else if (event.type === 'aware.end') {
      // A stream ends for other reasons too: a token that ended, a gateway that does.
      at.complete ||= at.ended;
    }
  };
  for (let failures = 0; !over(); failures += 1) {
    await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 4000);
    const response = await open(at.start, signal);
    if (response?.ok && response.body !== null) {
      tell({ type: 'live' });
      if (await readAll(response.body, take)) failures = 0;
    } else if (response !== null && response.status < 500 && response.status !== 429) {
      const reply = { status: response.status, body: (await response.json()) as unknown };
      tell({ type: 'refused', problem: problemOf(reply) });
      return;
    }
    if (!over()) tell({ type: 'interrupted' });
  }
  if (!signal.aborted) tell({ type: 'complete' });
}

/** Returns whether anything was said before the stream ended or broke. */
async function readAll(body: ReadableStream<Uint8Array>, take: (event: SentEvent) => void): Promise<boolean> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const events = new SentEvents();
  let said = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => void reader.cancel(), SILENT_MS);
      const { done, value } = await reader.read();
      if (done) return said;
      said = true;
      for (const event of events.take(decoder.decode(value, { stream: true }))) take(event);
    }
  } catch {
    return said;
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => undefined);
  }
}

/** The log of a job, and its progress in the store as it is told. */
export function useJobLog(id: string): Printed {
  const store = useStore() as Store;
  const [state, tell] = useReducer(printed, NOTHING_YET);
  useEffect(() => {
    const end = new AbortController();
    const open = (start: number, signal: AbortSignal) => {
      const ask = { path: `v1/jobs/${encodeURIComponent(id)}/log`, query: { follow: true, start } };
      return openStream(ask, () => store.getState(), store.dispatch as (action: unknown) => unknown, signal);
    };
    const onJob = (job: Job) => void store.dispatch(colonyApi.util.upsertQueryData('job', job.id, job));
    void follow({ open, tell, onJob }, end.signal);
    return () => {
      end.abort();
      tell({ type: 'forgotten' });
    };
  }, [store, id]);
  return state;
}
