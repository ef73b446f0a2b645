import { expect, test } from 'vitest';
import type { Webhook } from '../../api/types';
import { wish } from './WebhookForm';
import { standing, wanted } from './Webhooks';

const TYPED = { url: ' https://a.example/ ', description: '', type: 'node.*, job.*', subject: '', caste: 'web', actor: '', retry: '60', pause: '3600' }; // prettier-ignore

test('a filter says only what it narrows', () => {
  expect(wish(TYPED, 'info', '')).toEqual({
    url: 'https://a.example/', description: '', filter: { type: ['node.*', 'job.*'], caste: ['web'] }, ca: '', retry_s: 60, pause_after_s: 3600,
  }); // prettier-ignore
  expect(wish(TYPED, 'warning', 'PEM').filter.severity).toBe('warning');
  expect(wanted({})).toBe('every event');
  expect(wanted({ type: ['node.*'], severity: 'warning', actor: ['ada'] })).toBe(
    'node.*; warning or worse; by ada',
  );
});

test('how a webhook is: what somebody did about it stands before what happens to it', () => {
  const hook = { paused: '', breaker: 'closed', failing_since: 0 } as Webhook;
  const of = (more: Partial<Webhook>) => standing({ ...hook, ...more })[1];
  expect([of({}), of({ failing_since: 5 }), of({ failing_since: 5, breaker: 'open' })]).toEqual([
    'well', 'failing', 'nobody answers',
  ]); // prettier-ignore
  expect(of({ failing_since: 5, breaker: 'open', paused: 'ada paused it' })).toBe('paused');
});
