// A real colony in a process of its own (tests/dashboard/colony.py), and a page that is logged in there.

import { expect, test as base, type Page } from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

const ROOT = new URL('../../..', import.meta.url).pathname;

interface Hello {
  urls: Record<string, string>;
  queen: string;
  passwords: Record<string, string>;
}

export interface Queen {
  name: string;
  url: string;
  term: number;
}

export class Colony {
  private lines: AsyncIterator<string>;
  hello!: Hello;

  private constructor(
    private readonly process: ChildProcess,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
  }

  static async start(): Promise<Colony> {
    const python = process.env['PYTHON'] ?? `${ROOT}.venv/bin/python`;
    const child = spawn(python, ['-m', 'tests.dashboard.colony'], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const colony = new Colony(child, createInterface({ input: child.stdout }));
    colony.hello = (await colony.next()) as Hello;
    return colony;
  }

  /** Returns once everything of it is ended and removed. */
  async stop(): Promise<void> {
    const gone = new Promise((done) => this.process.once('exit', done));
    this.process.stdin?.end();
    await gone;
  }

  async tell<T>(...command: unknown[]): Promise<T> {
    this.process.stdin?.write(`${JSON.stringify(command)}\n`);
    const answer = await this.next();
    if (typeof answer === 'object' && answer !== null && 'error' in answer)
      throw new Error(String(answer.error));
    return answer as T;
  }

  queen(): Promise<Queen> {
    return this.tell<Queen>('queen');
  }

  /** One call as admin. */
  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, body: answer } = await this.tell<{ status: number; body: T }>(
      'ask',
      method,
      path,
      body ?? null,
    );
    expect(status, `${method} ${path}`).toBeLessThan(300);
    return answer;
  }

  /** A job that has ended; returns its id. */
  async ranJob(parameters: Record<string, unknown>): Promise<string> {
    // Two hosts at once: a busy machine takes its time for each batch.
    const body = {
      operation: 'rolling-restart',
      parameters: { at_once: 2, ...parameters },
      hosts: ['nest-3', 'nest-4'],
    };
    const { id } = await this.ask<{ id: string }>('POST', '/v1/jobs', body);
    const ended = async () => (await this.ask<{ ended_at: number }>('GET', `/v1/jobs/${id}`)).ended_at > 0;
    await expect.poll(ended, { timeout: 240_000 }).toBe(true);
    return id;
  }

  url(name: string): string {
    return `${this.hello.urls[name] ?? ''}/`;
  }

  /** A member of the council that does not reign. Who has a seat is what etcd says: a node's role may be a moment old. */
  async other(): Promise<string> {
    const { name } = await this.queen();
    const { members } = await this.ask<{ members: { name: string }[] }>('GET', '/v1/council/members');
    const found = members.find((member) => member.name !== name);
    if (found === undefined) throw new Error('the queen is alone');
    return found.name;
  }

  private async next(): Promise<unknown> {
    const line = await this.lines.next();
    if (line.done) throw new Error('the colony has ended');
    return JSON.parse(line.value);
  }
}

/** What a page must not do, gathered while it is used. */
export interface Watched {
  complaints: string[];
  /** Hosts that pages of others ask. */
  others: Set<string>;
}

export const test = base.extend<{ watched: Watched }, { colony: Colony }>({
  colony: [
    async ({}, use) => {
      const colony = await Colony.start();
      await use(colony);
      await colony.stop();
    },
    { scope: 'worker', timeout: 300_000 },
  ],
  watched: [
    async ({ page, colony }, use) => {
      const watched: Watched = { complaints: [], others: new Set() };
      const own = new Set(Object.values(colony.hello.urls).map((url) => new URL(url).host));
      page.on('pageerror', (error) => watched.complaints.push(error.message));
      page.on('console', (message) => {
        if (/content security policy|trusted type/i.test(message.text()))
          watched.complaints.push(message.text());
      });
      page.on('request', (request) => {
        const url = new URL(request.url());
        const known = own.has(url.host) || watched.others.has(url.host) || url.hostname === '127.0.0.1';
        if (!known && !['blob:', 'data:'].includes(url.protocol)) {
          watched.complaints.push(`asked ${request.url()}`);
        }
      });
      await use(watched);
      expect(watched.complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export async function logIn(page: Page, colony: Colony, at: string, user = 'admin'): Promise<void> {
  await page.goto(at);
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(colony.hello.passwords[user] ?? '');
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await expect(page.getByTestId('link')).toHaveText('Live');
}

export async function open(page: Page, path: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#${path}`);
  await expect(page.getByRole('main').getByRole('status', { name: 'Loading' })).toHaveCount(0);
}

export { expect };
