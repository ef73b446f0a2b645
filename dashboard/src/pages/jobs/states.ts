import type { Job, JobState, Operation } from '../../api/types';
import type { Tone } from '../../ui/parts';

export const STATE: Record<JobState, Tone> = {
  queued: 'info',
  running: 'primary',
  succeeded: 'success',
  failed: 'error',
  timed_out: 'error',
  lost: 'warning',
  cancelled: 'default',
};
export const STATES = Object.keys(STATE) as JobState[];

/** As people say it. */
export function said(state: JobState): string {
  return state.replace('_', ' ');
}

export function isOpen({ state }: { state: JobState }): boolean {
  return state === 'queued' || state === 'running';
}

/** Whether it runs over hosts: of what comes with AWARE only `scale` changes the spec and no host. */
export function isPlaybook({ built_in, name }: Pick<Operation, 'built_in' | 'name'>): boolean {
  return !(built_in && name === 'scale');
}

export interface HostLine {
  name: string;
  tone: Tone;
  word: string;
  ok: number;
  changed: number;
  skipped: number;
  failed: number;
  unreachable: number;
  task: string;
}

/** Hosts of a job, those in trouble first. */
export function hostLines(job: Pick<Job, 'state' | 'hosts_done'>): HostLine[] {
  const rank = (line: HostLine) => (line.tone === 'error' ? 0 : 1);
  return Object.entries(job.hosts_done)
    .map(([name, done]) => ({ name, ...done, ...howIs(done, job.state === 'running') }))
    .sort(
      (one, other) =>
        rank(one) - rank(other) || one.name.localeCompare(other.name, undefined, { numeric: true }),
    );
}

function howIs(
  { failed, unreachable, changed }: Job['hosts_done'][string],
  running: boolean,
): { tone: Tone; word: string } {
  if (unreachable > 0) return { tone: 'error', word: 'unreachable' };
  if (failed > 0) return { tone: 'error', word: 'failed' };
  if (running) return { tone: 'primary', word: 'at work' };
  return { tone: 'success', word: changed > 0 ? 'changed' : 'ok' };
}
