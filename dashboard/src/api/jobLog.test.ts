import { describe, expect, test } from 'vitest';
import { follow, NOTHING_YET, printed, type LogEvent, type Printed } from './jobLog';
import { SentEvents } from './sentEvents';
import type { Job } from './types';

const log = (text: string, after: number, complete = false): string =>
  `id: ${after}\nevent: job.log\ndata: ${JSON.stringify({ text, after, complete, cut: 0 })}\n\n`;

describe('server-sent events', () => {
  test.each([1, 3, 7, 1000])('are whole in whatever pieces they come (%i)', (size) => {
    const text = ': welcome\r\n\r\nevent: a\ndata: {"x":\ndata: "ü"}\n\ndata: plain\n\nevent: lost\n\n';
    const events = new SentEvents();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...events.take(text.slice(at, at + size)));
    expect(found.filter((one) => one.type !== '')).toEqual([
      { type: 'a', data: '{"x":\n"ü"}' },
      { type: 'message', data: 'plain' },
    ]);
  });
});

/** Follows streams that say so and break then; what was told, what it came to, and from where each was asked. */
async function followed(...streams: (string | { status: number; body: unknown } | null)[]) {
  const starts: number[] = [];
  const told: LogEvent[] = [];
  const jobs: Job[] = [];
  const left = [...streams];
  const end = new AbortController();
  const open = (start: number) => {
    starts.push(start);
    const next = left.shift();
    if (next === undefined) end.abort();
    if (next === undefined || next === null) return Promise.resolve(null);
    if (typeof next === 'string') return Promise.resolve(new Response(next));
    return Promise.resolve(new Response(JSON.stringify(next.body), { status: next.status }));
  };
  await follow(
    {
      open,
      tell: (event) => told.push(event),
      onJob: (job) => jobs.push(job),
      sleep: () => Promise.resolve(),
    },
    end.signal,
  );
  return { starts, jobs, state: told.reduce<Printed>(printed, NOTHING_YET), told };
}

describe('the log of a job', () => {
  test('goes on over breaks from the part after the last one, and nothing is there twice', async () => {
    const { starts, state } = await followed(
      log('one\n', 1) + log('two\n', 2) + 'event: job.lo',
      null,
      log('two\n', 2) + log('three\n', 3, true),
    );
    expect(starts).toEqual([0, 2, 2]);
    expect(state).toMatchObject({ text: 'one\ntwo\nthree\n', status: 'complete' });
  });

  test('says when it is not live', async () => {
    const { told } = await followed(log('one\n', 1), log('two\n', 2, true));
    expect(told.map((one) => one.type)).toEqual(['live', 'log', 'interrupted', 'live', 'log', 'complete']);
  });

  test('a gateway that refuses is not asked again', async () => {
    const body = { code: 'forbidden', detail: 'this needs role operator' };
    const { starts, state } = await followed({ status: 403, body }, log('never', 1, true));
    expect(starts).toEqual([0]);
    expect(state).toMatchObject({ status: 'refused', problem: { status: 403, code: 'forbidden' } });
  });

  test('a gateway that is not well, or has too much to do, is asked again', async () => {
    const { starts } = await followed(
      { status: 503, body: {} },
      { status: 429, body: {} },
      log('x', 1, true),
    );
    expect(starts).toEqual([0, 0, 0]);
  });

  test('progress is told, and the log of a job that has ended is complete when its stream ends', async () => {
    const job = { id: 'j', state: 'cancelled', ended_at: 5 } as Job;
    const changed = `event: job.changed\ndata: ${JSON.stringify(job)}\n\n`;
    const end = 'event: aware.end\ndata: {}\n\n';
    const { jobs, starts, state } = await followed(end, changed, changed + end);
    expect(jobs).toEqual([job, job]);
    expect(starts).toEqual([0, 0, 0]);
    expect(state).toMatchObject({ text: '', status: 'complete' });
  });
});
