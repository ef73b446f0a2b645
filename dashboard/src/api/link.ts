// How the page reaches the colony. It was loaded from one gateway, and goes on with the others when that one falls.
//
// Reads are answered by any member. Writes are the queen's: a member answers them with a redirect, which a page may not
// follow to another origin with its token, so the link asks who she is and goes there itself. Every write carries a key
// (Idempotency-Key), so that it may be sent again, to another queen too, and is done once.

import type { Problem, Ways } from './types';

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  ifMatch?: number;
  /** One for a write, whatever becomes of it: made by whoever asks, so that asking again is the same write. */
  key?: string;
  token?: string | undefined;
  /** The answer has to be as new as this revision. */
  atLeast?: number | undefined;
}

export interface Reply {
  status: number;
  body: unknown;
  base: string;
  node: string;
  role: string;
  /** What it says of when to ask again, 0: nothing. */
  retryAfterS: number;
}

export interface LinkOptions {
  fetch?: typeof fetch;
  /** How long one gateway may take, in milliseconds. */
  timeoutMs?: number;
  /** How long a write waits for a queen, in milliseconds. */
  patienceMs?: number;
  sleep?: (ms: number) => Promise<void>;
}

/** No answer that says anything: nobody there, or no one that a browser may speak to. */
export class Unreachable extends Error {
  constructor(
    readonly code: 'unreachable' | 'queen-unreachable',
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

export class ColonyLink {
  /** Base addresses; the first is where the page came from, all end with "/". */
  private others: string[] = [];
  private current: string;
  private readonly fetch: typeof fetch;
  private readonly timeoutMs: number;
  private readonly patienceMs: number;
  private readonly sleep: (ms: number) => Promise<void>;

  constructor(
    readonly own: string,
    options: LinkOptions = {},
  ) {
    this.current = own;
    this.fetch = options.fetch ?? ((...all) => globalThis.fetch(...all));
    this.timeoutMs = options.timeoutMs ?? 10_000;
    this.patienceMs = options.patienceMs ?? 20_000;
    this.sleep = options.sleep ?? pause;
  }

  /** Where to ask, the one that answered last first. */
  get bases(): string[] {
    return [this.current, ...[this.own, ...this.others].filter((base) => base !== this.current)];
  }

  /** Take note of who may reign. Only https addresses without anything but a host count. */
  learn(ways: Ways): void {
    const named = [ways.queen ?? '', ...ways.members].map(baseOf).filter((base) => base !== '');
    // Those that are gone are kept behind the others: they come back.
    const all = [...new Set([...named, ...this.others])].filter((base) => base !== this.own);
    this.others = all.slice(0, 32);
  }

  /** This one did not answer: begin with the next. */
  failed(base: string): void {
    if (base === this.current) this.current = this.bases[1] ?? this.own;
  }

  /** Send a request to whoever can answer it. Throws {@link Unreachable}. */
  async send(ask: Ask): Promise<Reply> {
    const end = Date.now() + this.patienceMs;
    for (;;) {
      const reply = await this.once(ask);
      const again = ask.key !== undefined && Date.now() < end ? waitOf(reply) : 0;
      if (again === 0) return reply;
      await this.sleep(again);
    }
  }

  /** Begin to read a stream at the gateway that answered last; its end is the caller's affair. null: nobody is there. */
  async open(ask: Ask, signal: AbortSignal): Promise<Response | null> {
    const base = this.current;
    try {
      const headers = headersOf(ask, 'text/event-stream');
      const response = await this.fetch(urlOf(base, ask), { headers, redirect: 'manual', signal });
      if (response.type !== 'opaqueredirect' && response.headers.has('x-aware-node')) return response;
    } catch {
      if (signal.aborted) return null;
    }
    this.failed(base);
    return null;
  }

  private async once(ask: Ask): Promise<Reply> {
    for (const base of this.bases) {
      const reply = await this.at(base, ask);
      if (reply === 'redirect') return this.atQueen(base, ask);
      if (reply === null) continue;
      this.current = base;
      return reply;
    }
    throw new Unreachable(
      'unreachable',
      'No gateway of the colony answers',
      'Is the network there? The page tries again by itself.',
    );
  }

  private async atQueen(base: string, ask: Ask): Promise<Reply> {
    let queen = '';
    for (let round = 0; round < 20; round += 1) {
      const known = await this.at(base, { path: 'v1/council' });
      if (known === null || known === 'redirect') break;
      const ways = known.body as Ways;
      this.learn(ways);
      queen = baseOf(ways.queen ?? '');
      if (queen !== '') {
        const reply = await this.at(queen, ask);
        if (reply !== null && reply !== 'redirect') return reply;
      }
      await this.sleep(250);
    }
    throw new Unreachable(
      'queen-unreachable',
      queen === ''
        ? 'The colony has no queen at this moment'
        : `This browser cannot reach the queen at ${queen}`,
      queen === ''
        ? 'Reading goes on; try again in a moment.'
        : 'Let it trust the certificate authority of the colony, or open the dashboard at her address.',
    );
  }

  /** One gateway's answer; null when it gives none. */
  private async at(base: string, ask: Ask): Promise<Reply | 'redirect' | null> {
    try {
      const response = await this.fetch(urlOf(base, ask), {
        method: ask.method ?? 'GET',
        headers: headersOf(ask, 'application/json'),
        redirect: 'manual',
        signal: AbortSignal.timeout(this.timeoutMs),
        ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
      });
      if (response.type === 'opaqueredirect') return 'redirect';
      const text = await response.text();
      const node = response.headers.get('x-aware-node') ?? '';
      // A proxy in front that finds nobody behind it is no gateway.
      if (response.status >= 502 && response.status !== 503 && node === '') return null;
      const body: unknown = text === '' ? {} : JSON.parse(text);
      const role = response.headers.get('x-aware-role') ?? '';
      const retryAfterS = Number(response.headers.get('retry-after') ?? 0) || 0;
      return { status: response.status, body, base, node, role, retryAfterS };
    } catch {
      return null;
    }
  }
}

function headersOf(ask: Ask, accept: string): Record<string, string> {
  return {
    accept,
    ...(ask.token === undefined ? {} : { authorization: `Bearer ${ask.token}` }),
    ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(ask.ifMatch === undefined ? {} : { 'if-match': String(ask.ifMatch) }),
    ...(ask.key === undefined ? {} : { 'idempotency-key': ask.key }),
    ...(ask.atLeast === undefined ? {} : { 'x-aware-min-revision': String(ask.atLeast) }),
  };
}

function urlOf(base: string, ask: Ask): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(ask.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `${base}${ask.path.replace(/^\//, '')}${text === '' ? '' : `?${text}`}`;
}

/** `https://host:port/` of a gateway's address, "" for anything else. */
export function baseOf(address: string): string {
  try {
    const url = new URL(address);
    const plain = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
    return url.protocol === 'https:' && plain ? `${url.origin}/` : '';
  } catch {
    return '';
  }
}

/** Milliseconds until a write may be sent again: while nobody reigns, and when there were too many; 0: it is answered. */
function waitOf({ status, body, retryAfterS }: Reply): number {
  if (status === 429) return 1000 * Math.min(10, Math.max(1, retryAfterS));
  return status === 503 && codeOf(body) === 'no-queen' ? 500 : 0;
}

function codeOf(body: unknown): string {
  return typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : '';
}

/** What a reply that is no success says. */
export function problemOf(reply: Pick<Reply, 'status' | 'body'>): Problem {
  const body = (typeof reply.body === 'object' && reply.body !== null ? reply.body : {}) as Partial<Problem>;
  return {
    status: reply.status,
    code: body.code ?? 'unknown',
    detail: body.detail ?? `The gateway answered ${reply.status}.`,
    ...(body.hint ? { hint: body.hint } : {}),
    ...(body.field ? { field: body.field } : {}),
  };
}
