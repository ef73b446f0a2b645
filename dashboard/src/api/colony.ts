// The gateway's operations, as the page uses them.

import { createApi, type BaseQueryFn } from '@reduxjs/toolkit/query/react';
import { heard, linked } from '../state/colony';
import { ended, refreshed, type SessionState } from '../state/session';
import { ColonyLink, problemOf, Unreachable, type Ask, type Reply } from './link';
import type * as T from './types';

/** The folder the page was loaded from, whatever path a proxy put it at. */
export const OWN = new URL('.', document.baseURI.split(/[?#]/)[0]).href;
export const link = new ColonyLink(OWN);

interface Seen {
  session: SessionState;
}

let renewing: Promise<boolean> | null = null;
let writtenAt = 0;
let written = 0;
let heardAt = 0;

type Dispatch = (action: unknown) => unknown;

/** Trade the refresh token, once however many ask. */
export function renew(getState: () => unknown, dispatch: Dispatch): Promise<boolean> {
  renewing ??= (async () => {
    const current = (getState() as Seen).session.current;
    if (current === null || current.refresh === '') return false;
    try {
      const body = { refresh_token: current.refresh };
      const reply = await link.send({ method: 'POST', path: 'v1/auth/refresh', body });
      if (reply.status !== 200) return false;
      dispatch(refreshed(reply.body as T.Tokens));
      return true;
    } finally {
      renewing = null;
    }
  })();
  return renewing;
}

async function send(ask: Ask, getState: () => unknown, dispatch: Dispatch): Promise<Reply> {
  const token = () => (getState() as Seen).session.current?.access;
  const first = token();
  const reply = await link.send({ ...ask, token: first });
  if (reply.status !== 401 || first === undefined) return reply;
  if (token() === first && !(await renew(getState, dispatch))) return reply;
  return link.send({ ...ask, token: token() });
}

/** A member that is behind is not to show a page its own write undone. */
function newest(ask: Ask): Ask {
  const fresh = (ask.method ?? 'GET') === 'GET' && Date.now() - writtenAt < 5000;
  return fresh && written > 0 ? { ...ask, atLeast: written } : ask;
}

/** Begin to read a stream as whoever is logged in; null: no gateway is there now. */
export async function openStream(
  ask: Ask,
  getState: () => unknown,
  dispatch: Dispatch,
  signal: AbortSignal,
): Promise<Response | null> {
  const token = () => (getState() as Seen).session.current?.access;
  const response = await link.open({ ...newest(ask), token: token() }, signal);
  if (response?.status !== 401 || !(await renew(getState, dispatch).catch(() => false))) return response;
  return link.open({ ...newest(ask), token: token() }, signal);
}

const query: BaseQueryFn<Ask, unknown, T.Problem> = async (ask, { getState, dispatch }) => {
  try {
    const reply = await send(newest(ask), getState, dispatch as Dispatch);
    if (Date.now() - heardAt > 1000) {
      heardAt = Date.now();
      dispatch(heard({ at: heardAt, node: reply.node, role: reply.role }));
    }
    if (reply.status >= 400) {
      const problem = problemOf(reply);
      if (reply.status === 401) dispatch(ended(problem.detail));
      return { error: problem };
    }
    if (ask.method !== undefined && ask.query?.['dry_run'] !== true) {
      const { revision } = reply.body as { revision?: number };
      if (revision !== undefined) [written, writtenAt] = [revision, Date.now()];
    }
    return { data: reply.body };
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    if (error.code === 'unreachable') dispatch(linked('offline'));
    return { error: { status: 0, code: error.code, detail: error.message, hint: error.hint } };
  }
};

type Write = { key: string; dryRun?: boolean };
const dry = (dryRun?: boolean) => (dryRun ? { dry_run: true } : {});
const hook = (id: string) => `v1/webhooks/${encodeURIComponent(id)}`;
const at = (node: string) => `v1/nodes/${encodeURIComponent(node)}`;

const JOB_LINE: readonly (keyof T.JobLine)[] = [
  'id', 'operation', 'state', 'message', 'actor', 'node', 'attempt', 'created_at', 'started_at', 'ended_at', 'retry_of', 'play', 'task',
]; // prettier-ignore

/** A key for one write. */
export const newKey = () => crypto.randomUUID();

export const colonyApi = createApi({
  reducerPath: 'api',
  baseQuery: query,
  tagTypes: [
    'Cluster', 'Nodes', 'Config', 'Spec', 'Council', 'Election', 'Backups', 'Rotation', 'Users', 'Sessions', 'Tokens', 'Denied', 'Jobs', 'Operations',
    'Accounts', 'Webhooks',
  ], // prettier-ignore
  keepUnusedDataFor: 120,
  endpoints: (build) => ({
    ways: build.query<T.LoginWays, void>({ query: () => ({ path: 'v1/auth/providers' }) }),
    description: build.query<T.OpenApi, void>({
      query: () => ({ path: 'openapi.json' }),
      keepUnusedDataFor: 3600,
    }),
    council: build.query<T.Ways, void>({ query: () => ({ path: 'v1/council' }) }),
    cluster: build.query<T.Cluster, void>({
      query: () => ({ path: 'v1/cluster' }),
      providesTags: ['Cluster'],
    }),
    nodes: build.query<T.Nodes, void>({ query: () => ({ path: 'v1/nodes' }), providesTags: ['Nodes'] }),
    node: build.query<T.Node, string>({
      query: (node) => ({ path: at(node) }),
      providesTags: (_, __, id) => [{ type: 'Nodes', id }, 'Nodes'],
    }),
    channel: build.query<T.Channel, string>({ query: (node) => ({ path: `${at(node)}/channel` }) }),
    changeNode: build.mutation<
      T.NodeChange,
      Write & {
        node: string;
        patch: { cordoned?: boolean; drained?: boolean; labels?: Record<string, string | null> };
      }
    >({
      query: ({ node, patch, key, dryRun }) => ({
        method: 'PATCH',
        path: at(node),
        body: patch,
        key,
        query: dry(dryRun),
      }),
      invalidatesTags: ['Nodes', 'Cluster'],
    }),
    sendAway: build.mutation<T.NodeChange, Write & { node: string; away: boolean }>({
      query: ({ node, away, key }) => ({
        method: away ? 'PUT' : 'DELETE',
        path: `${at(node)}/away`,
        ...(away ? { body: {} } : {}),
        key,
      }),
      invalidatesTags: ['Nodes', 'Cluster'],
    }),
    removeNode: build.mutation<unknown, Write & { node: string; force: boolean }>({
      query: ({ node, force, key }) => ({ method: 'DELETE', path: at(node), query: { force }, key }),
      invalidatesTags: ['Nodes', 'Cluster', 'Denied'],
    }),
    command: build.mutation<T.CommandAnswer, Write & { node: string; command: Record<string, string> }>({
      query: ({ node, command, key }) => ({
        method: 'POST',
        path: `${at(node)}/commands`,
        body: { command },
        key,
      }),
    }),
    config: build.query<T.ConfigDocument, string>({
      query: (node) => ({ path: `${at(node)}/config` }),
      providesTags: ['Config'],
    }),
    configHistory: build.query<T.Versions, string>({
      query: (node) => ({ path: `${at(node)}/config/history` }),
      providesTags: ['Config'],
    }),
    configDiff: build.query<T.Diff, { node: string; from: number; to?: number }>({
      query: ({ node, from, to }) => ({ path: `${at(node)}/config/diff`, query: { from, to } }),
      providesTags: ['Config'],
    }),
    putConfig: build.mutation<
      { changed: boolean; would?: string[] },
      Write & { node: string; config: T.Config; ifMatch?: number | undefined }
    >({
      query: ({ node, config, key, dryRun, ifMatch }) => ({
        method: 'PUT',
        path: `${at(node)}/config`,
        body: { config },
        key,
        query: dry(dryRun),
        ...(ifMatch ? { ifMatch } : {}),
      }),
      invalidatesTags: (_, __, { dryRun }) => (dryRun ? [] : ['Config', 'Nodes']),
    }),
    rollBackConfig: build.mutation<{ changed: boolean }, Write & { node: string; revision: number }>({
      query: ({ node, revision, key }) => ({
        method: 'POST',
        path: `${at(node)}/config/rollback`,
        body: { revision },
        key,
      }),
      invalidatesTags: ['Config', 'Nodes'],
    }),
    spec: build.query<T.SpecDocument, void>({ query: () => ({ path: 'v1/spec' }), providesTags: ['Spec'] }),
    specHistory: build.query<T.Versions, void>({
      query: () => ({ path: 'v1/spec/history' }),
      providesTags: ['Spec'],
    }),
    specDiff: build.query<T.Diff, { from: number; to?: number }>({
      query: (range) => ({ path: 'v1/spec/diff', query: range }),
      providesTags: ['Spec'],
    }),
    putSpec: build.mutation<T.SpecChange, Write & { spec: unknown; ifMatch?: number | undefined }>({
      query: ({ spec, key, dryRun, ifMatch }) => ({
        method: 'PUT',
        path: 'v1/spec',
        body: spec,
        key,
        query: dry(dryRun),
        ...(ifMatch ? { ifMatch } : {}),
      }),
      invalidatesTags: (_, __, { dryRun }) => (dryRun ? [] : ['Spec', 'Cluster', 'Nodes']),
    }),
    rollBackSpec: build.mutation<T.SpecChange, Write & { revision: number }>({
      query: ({ revision, key, dryRun }) => ({
        method: 'POST',
        path: 'v1/spec/rollback',
        body: { revision },
        key,
        query: dry(dryRun),
      }),
      invalidatesTags: (_, __, { dryRun }) => (dryRun ? [] : ['Spec', 'Cluster', 'Nodes']),
    }),
    members: build.query<T.Council, void>({
      query: () => ({ path: 'v1/council/members' }),
      providesTags: ['Council'],
    }),
    election: build.query<T.Election, void>({
      query: () => ({ path: 'v1/election' }),
      providesTags: ['Election'],
    }),
    moveSeat: build.mutation<unknown, Write & { from: string; to: string }>({
      query: ({ from, to, key }) => ({
        method: 'POST',
        path: 'v1/council/move',
        body: { from, ...(to ? { to } : {}) },
        key,
      }),
      invalidatesTags: ['Council'],
    }),
    stepDown: build.mutation<T.HandOver, Write>({
      query: ({ key }) => ({ method: 'POST', path: 'v1/queen/step-down', key }),
      invalidatesTags: ['Cluster', 'Election'],
    }),
    transfer: build.mutation<T.HandOver, Write & { node: string }>({
      query: ({ node, key }) => ({ method: 'POST', path: 'v1/queen/transfer', body: { node }, key }),
      invalidatesTags: ['Cluster', 'Election'],
    }),
    backups: build.query<T.Backups, void>({
      query: () => ({ path: 'v1/backups' }),
      providesTags: ['Backups'],
    }),
    backUp: build.mutation<T.Backups, Write>({
      query: ({ key }) => ({ method: 'POST', path: 'v1/backups', key }),
      invalidatesTags: ['Backups'],
    }),
    rotation: build.query<T.Rotation, void>({
      query: () => ({ path: 'v1/rotation' }),
      providesTags: ['Rotation'],
    }),
    rotate: build.mutation<
      unknown,
      Write & { action: 'start' | 'continue' | 'abort'; hold?: boolean; keepCa?: boolean }
    >({
      query: ({ action, hold, keepCa, key }) => ({
        method: 'POST',
        path: 'v1/rotation',
        body: { action, ...(action === 'start' ? { hold: hold ?? false, keep_ca: keepCa ?? false } : {}) },
        key,
      }),
      invalidatesTags: ['Rotation'],
    }),
    users: build.query<T.Users, void>({ query: () => ({ path: 'v1/users' }), providesTags: ['Users'] }),
    putUser: build.mutation<unknown, Write & { name: string; role: T.Role; password?: string | undefined }>({
      query: ({ name, role, password, key }) => ({
        method: 'PUT',
        path: `v1/users/${encodeURIComponent(name)}`,
        body: { role, ...(password ? { password } : {}) },
        key,
      }),
      invalidatesTags: ['Users', 'Sessions'],
    }),
    removeUser: build.mutation<unknown, Write & { name: string }>({
      query: ({ name, key }) => ({ method: 'DELETE', path: `v1/users/${encodeURIComponent(name)}`, key }),
      invalidatesTags: ['Users', 'Sessions'],
    }),
    sessions: build.query<T.Sessions, void>({
      query: () => ({ path: 'v1/sessions' }),
      providesTags: ['Sessions'],
    }),
    endSession: build.mutation<unknown, Write & { id: string }>({
      query: ({ id, key }) => ({ method: 'DELETE', path: `v1/sessions/${encodeURIComponent(id)}`, key }),
      invalidatesTags: ['Sessions'],
    }),
    joinTokens: build.query<T.JoinTokens, void>({
      query: () => ({ path: 'v1/tokens' }),
      providesTags: ['Tokens'],
    }),
    makeToken: build.mutation<
      T.NewJoinToken,
      Write & { ttlS: number | null; uses: number | null; nodeName: string; eligible: boolean }
    >({
      query: ({ ttlS, uses, nodeName, eligible, key }) => ({
        method: 'POST',
        path: 'v1/tokens',
        body: { ttl_s: ttlS, uses, node_name: nodeName || null, eligible },
        key,
      }),
      invalidatesTags: ['Tokens'],
    }),
    revokeToken: build.mutation<unknown, Write & { id: string }>({
      query: ({ id, key }) => ({ method: 'DELETE', path: `v1/tokens/${encodeURIComponent(id)}`, key }),
      invalidatesTags: ['Tokens'],
    }),
    deniedKeys: build.query<T.DeniedKeys, void>({
      query: () => ({ path: 'v1/denied-keys' }),
      providesTags: ['Denied'],
    }),
    allowKey: build.mutation<unknown, Write & { id: string }>({
      query: ({ id, key }) => ({ method: 'DELETE', path: `v1/denied-keys/${encodeURIComponent(id)}`, key }),
      invalidatesTags: ['Denied'],
    }),
    serviceAccounts: build.query<T.ServiceAccount[], void>({
      query: () => ({ path: 'v1/service-accounts' }),
      transformResponse: ({ accounts }: { accounts: T.ServiceAccount[] }) => accounts,
      providesTags: ['Accounts'],
    }),
    makeAccount: build.mutation<unknown, Write & { name: string; role: T.Role; scopes: string[] }>({
      query: ({ key, ...body }) => ({ method: 'POST', path: 'v1/service-accounts', body, key }),
      invalidatesTags: ['Accounts'],
    }),
    removeAccount: build.mutation<unknown, Write & { name: string }>({
      query: ({ name, key }) => ({
        method: 'DELETE',
        path: `v1/service-accounts/${encodeURIComponent(name)}`,
        key,
      }),
      invalidatesTags: ['Accounts'],
    }),
    makeServiceToken: build.mutation<
      T.ServiceToken & { token: string },
      Write & { account: string; ttlS: number; scopes: string[] }
    >({
      query: ({ account, ttlS, scopes, key }) => ({
        method: 'POST',
        path: `v1/service-accounts/${encodeURIComponent(account)}/tokens`,
        body: { ttl_s: ttlS, scopes },
        key,
      }),
      invalidatesTags: ['Accounts'],
    }),
    revokeServiceToken: build.mutation<unknown, Write & { account: string; id: string }>({
      query: ({ account, id, key }) => ({
        method: 'DELETE',
        path: `v1/service-accounts/${encodeURIComponent(account)}/tokens/${encodeURIComponent(id)}`,
        key,
      }),
      invalidatesTags: ['Accounts'],
    }),
    webhooks: build.query<T.Webhook[], void>({
      query: () => ({ path: 'v1/webhooks' }),
      transformResponse: ({ webhooks }: { webhooks: T.Webhook[] }) => webhooks,
      providesTags: ['Webhooks'],
    }),
    deliveries: build.query<T.Delivery[], string>({
      query: (id) => ({ path: `${hook(id)}/deliveries` }),
      transformResponse: ({ deliveries }: { deliveries: T.Delivery[] }) => [...deliveries].reverse(),
      providesTags: ['Webhooks'],
    }),
    deadLetters: build.query<T.DeadLetter[], string>({
      query: (id) => ({ path: `${hook(id)}/dead` }),
      transformResponse: ({ dead }: { dead: T.DeadLetter[] }) => [...dead].reverse(),
      providesTags: ['Webhooks'],
    }),
    makeWebhook: build.mutation<{ id: string; secret: string }, Write & { body: T.WebhookWish }>({
      query: ({ body, key }) => ({ method: 'POST', path: 'v1/webhooks', body, key }),
      invalidatesTags: ['Webhooks'],
    }),
    changeWebhook: build.mutation<
      unknown,
      Write & { id: string; body: Partial<T.WebhookWish> & { paused?: boolean }; ifMatch?: number }
    >({
      query: ({ id, body, ifMatch, key }) => ({
        method: 'PATCH',
        path: hook(id),
        body,
        key,
        ...(ifMatch ? { ifMatch } : {}),
      }),
      invalidatesTags: ['Webhooks'],
    }),
    removeWebhook: build.mutation<unknown, Write & { id: string }>({
      query: ({ id, key }) => ({ method: 'DELETE', path: hook(id), key }),
      invalidatesTags: ['Webhooks'],
    }),
    rotateWebhookSecret: build.mutation<{ secret: string }, Write & { id: string }>({
      query: ({ id, key }) => ({ method: 'POST', path: `${hook(id)}/secret`, body: {}, key }),
      invalidatesTags: ['Webhooks'],
    }),
    testWebhook: build.mutation<T.WebhookTest, Write & { id: string }>({
      query: ({ id, key }) => ({ method: 'POST', path: `${hook(id)}/test`, key }),
    }),
    /** ``event``: "" for all of them. */
    settleDead: build.mutation<unknown, Write & { id: string; event: string; how: 'replay' | 'drop' }>({
      query: ({ id, event, how, key }) => ({
        method: how === 'replay' ? 'POST' : 'DELETE',
        path: [hook(id), 'dead', encodeURIComponent(event), how === 'replay' ? how : '']
          .filter((part) => part !== '')
          .join('/'),
        key,
      }),
      invalidatesTags: ['Webhooks'],
    }),
    audit: build.query<T.Audit, { who: string; what: string; result: string; back: number }>({
      queryFn: async ({ back, ...narrow }, _api, _extra, ask) => {
        const lines: T.AuditLine[] = [];
        const query = Object.fromEntries(Object.entries(narrow).filter(([, value]) => value !== ''));
        const read = async (place: Ask['query']) => {
          const { data, error } = await ask({ path: 'v1/audit', query: { limit: 1000, ...query, ...place } });
          return { page: data as (T.Audit & { next: string | null }) | undefined, error };
        };
        let answer = await read({ last: Math.min(1000, back) });
        const head = answer.page?.head.seq ?? 0;
        if (back > 1000 && answer.page) answer = await read({ after: Math.max(0, head - back) });
        for (;;) {
          if (answer.page === undefined) return { error: answer.error as T.Problem };
          lines.push(...answer.page.lines);
          const { next, ...rest } = answer.page;
          if (next === null) return { data: { ...rest, lines } };
          answer = await read({ cursor: next });
        }
      },
      keepUnusedDataFor: 10,
    }),
    operations: build.query<T.Operations, void>({
      query: () => ({ path: 'v1/operations' }),
      providesTags: ['Operations'],
    }),
    jobs: build.query<T.JobLine[], void>({
      // Not what its hosts did: of two hundred jobs that would be much.
      query: () => ({ path: 'v1/jobs', query: { fields: JOB_LINE.join(',') } }),
      transformResponse: (answer: { jobs: T.JobLine[] }) => answer.jobs,
      providesTags: ['Jobs'],
    }),
    job: build.query<T.Job, string>({
      query: (id) => ({ path: `v1/jobs/${encodeURIComponent(id)}` }),
      providesTags: ['Jobs'],
    }),
    runJob: build.mutation<
      T.Job & T.DryRun,
      Write & { operation: string; parameters: Record<string, unknown>; hosts: string[] }
    >({
      query: ({ operation, parameters, hosts, key, dryRun }) => ({
        method: 'POST',
        path: 'v1/jobs',
        body: { operation, parameters, hosts },
        key,
        query: dry(dryRun),
      }),
      invalidatesTags: (_, __, { dryRun }) => (dryRun ? [] : ['Jobs']),
    }),
    orderJob: build.mutation<T.Job & T.DryRun, Write & { id: string; order: 'cancel' | 'retry' }>({
      query: ({ id, order, key, dryRun }) => ({
        method: 'POST',
        path: `v1/jobs/${encodeURIComponent(id)}/${order}`,
        key,
        query: dry(dryRun),
      }),
      invalidatesTags: (_, __, { dryRun }) => (dryRun ? [] : ['Jobs']),
    }),
    logOut: build.mutation<unknown, void>({ query: () => ({ method: 'DELETE', path: 'v1/auth/token' }) }),
    events: build.query<T.Events, { since: number; limit: number }>({
      query: ({ since, limit }) => ({ path: 'v1/events', query: { since, limit } }),
      keepUnusedDataFor: 0,
    }),
  }),
});
