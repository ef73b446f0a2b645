import { describe, expect, test } from 'vitest';
import { baseOf, ColonyLink, Unreachable, type Ask } from './link';

const OWN = 'https://a.example:8443/';
const B = 'https://b.example:8443/';
const C = 'https://c.example:8443/';

interface Call {
  url: string;
  key: string | null;
  token: string | null;
}
type Answer = 'down' | 'redirect' | { status: number; body?: unknown; node?: string };

/** A colony of gateways: what each answers at each path, in turn where there are several answers. */
function colony(answers: Record<string, Answer | Answer[]>) {
  const calls: Call[] = [];
  const fake = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers);
    calls.push({ url, key: headers.get('idempotency-key'), token: headers.get('authorization') });
    const known = answers[url] ?? 'down';
    const answer = Array.isArray(known) ? (known.length > 1 ? known.shift() : known[0]) : known;
    if (answer === 'down' || answer === undefined) return Promise.reject(new TypeError('failed to fetch'));
    if (answer === 'redirect') return Promise.resolve({ type: 'opaqueredirect' } as Response);
    const more = { headers: { 'x-aware-node': answer.node ?? 'n', 'x-aware-role': 'member' } };
    return Promise.resolve(
      new Response(JSON.stringify(answer.body ?? {}), { status: answer.status, ...more }),
    );
  };
  const link = new ColonyLink(OWN, { fetch: fake, sleep: () => Promise.resolve() });
  link.learn({ colony: 'c', term: 1, queen: B, members: [OWN, B, C] });
  return { link, calls };
}

const read: Ask = { path: 'v1/cluster', token: 't' };
const write: Ask = { method: 'PATCH', path: 'v1/nodes/n', body: {}, key: 'k', token: 't' };
const ways = (queen: string | null) => ({
  status: 200,
  body: { colony: 'c', term: 2, queen, members: [OWN, B, C] },
});

describe('reading', () => {
  test('the gateway of the page is asked first, and another when it is gone; that one is kept to', async () => {
    const { link, calls } = colony({ [`${B}v1/cluster`]: { status: 200, body: { term: 7 } } });
    expect((await link.send(read)).body).toEqual({ term: 7 });
    await link.send(read);
    expect(calls.map((call) => call.url)).toEqual([`${OWN}v1/cluster`, `${B}v1/cluster`, `${B}v1/cluster`]);
  });

  test('a proxy that finds nobody behind it is no gateway; a gateway that is not well says so itself', async () => {
    const { link } = colony({
      [`${OWN}v1/cluster`]: { status: 502, node: '' },
      [`${B}v1/cluster`]: { status: 503, body: { code: 'not-mirrored' } },
    });
    const reply = await link.send(read);
    expect([reply.status, reply.base]).toEqual([503, B]);
  });

  test('with nobody there it says so', async () => {
    await expect(colony({}).link.send(read)).rejects.toThrow(Unreachable);
  });
});

describe('writing', () => {
  test('a member sends the page to the queen, who gets the same key and the token', async () => {
    const { link, calls } = colony({
      [`${OWN}v1/nodes/n`]: 'redirect',
      [`${OWN}v1/council`]: ways(B.slice(0, -1)),
      [`${B}v1/nodes/n`]: { status: 200, body: { changed: true } },
    });
    expect((await link.send(write)).body).toEqual({ changed: true });
    expect(calls.filter((call) => call.url.endsWith('/n'))).toEqual([
      { url: `${OWN}v1/nodes/n`, key: 'k', token: 'Bearer t' },
      { url: `${B}v1/nodes/n`, key: 'k', token: 'Bearer t' },
    ]);
    expect(calls.find((call) => call.url.endsWith('council'))?.token).toBeNull();
  });

  test('while nobody reigns it waits, and is sent again with its key', async () => {
    const { link, calls } = colony({
      [`${OWN}v1/nodes/n`]: [
        { status: 503, body: { code: 'no-queen' } },
        { status: 200, body: { changed: true } },
      ],
    });
    expect((await link.send(write)).status).toBe(200);
    expect(calls.map((call) => call.key)).toEqual(['k', 'k']);
  });

  test('too many at once are spread out, each sent again with its key', async () => {
    const { link, calls } = colony({
      [`${OWN}v1/nodes/n`]: [{ status: 429 }, { status: 200, body: { changed: true } }],
    });
    expect((await link.send(write)).status).toBe(200);
    expect(calls.map((call) => call.key)).toEqual(['k', 'k']);
  });

  test('a queen that falls under a write is followed to the next', async () => {
    const { link } = colony({
      [`${OWN}v1/nodes/n`]: 'redirect',
      [`${OWN}v1/council`]: [ways(B), ways(null), ways(C)],
      [`${C}v1/nodes/n`]: { status: 200, body: { changed: true } },
    });
    expect((await link.send(write)).base).toBe(C);
  });

  test('a queen this browser cannot reach is named', async () => {
    const { link } = colony({ [`${OWN}v1/nodes/n`]: 'redirect', [`${OWN}v1/council`]: ways(B) });
    await expect(link.send(write)).rejects.toThrow(`cannot reach the queen at ${B}`);
  });

  test('what has no key is not sent again', async () => {
    const { link, calls } = colony({ [`${OWN}v1/auth/token`]: { status: 503, body: { code: 'no-queen' } } });
    await link.send({ method: 'POST', path: 'v1/auth/token', body: {} });
    expect(calls).toHaveLength(1);
  });
});

test('only plain https addresses are gateways', () => {
  expect(baseOf('https://10.0.0.1:8443')).toBe('https://10.0.0.1:8443/');
  const wrong = [
    'http://a',
    'https://a/path',
    'https://u@a',
    'https://a?q',
    'javascript:alert(1)',
    'nonsense',
    '',
  ];
  expect(wrong.map(baseOf)).toEqual(wrong.map(() => ''));
});
