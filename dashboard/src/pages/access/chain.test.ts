// @vitest-environment node
import { webcrypto } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditLine } from '../../api/types';
import { canonical, checked, noted, sealChecker } from './chain';

const subtle = webcrypto.subtle;
const text = (of: string) => new TextEncoder().encode(of);
const hex = (raw: ArrayBuffer) => Buffer.from(raw).toString('hex');

let keys: { pair: webcrypto.CryptoKeyPair; text: string; id: string };
let log: AuditLine[];

/** A line that follows ``last``, hashed and sealed as the colony does. */
async function line(
  last: AuditLine | undefined,
  change: string,
  more: Partial<AuditLine> = {},
): Promise<AuditLine> {
  const draft = {
    time: 1, action: 'put-spec', actor: 'ada', kind: 'user', result: 'done', status: 200, change, count: 1,
    seq: (last?.seq ?? 0) + 1, term: 4, prev: last?.hash ?? '0'.repeat(64), key: keys.id, ...more,
  } as AuditLine; // prettier-ignore
  const hash = hex(await subtle.digest('SHA-256', text(canonical(draft))));
  const seal = await subtle.sign('Ed25519', keys.pair.privateKey, text(`aware-audit-1:${hash}`));
  return { ...draft, hash, seal: Buffer.from(seal).toString('base64') };
}

beforeAll(async () => {
  vi.stubGlobal('crypto', webcrypto);
  const pair = (await subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const raw = await subtle.exportKey('raw', pair.publicKey);
  const id = hex(await subtle.digest('SHA-256', raw)).slice(0, 16);
  keys = { pair, text: Buffer.from(raw).toString('base64'), id };
  log = [];
  for (const change of ['one', 'zwölf', 'three', 'four']) log.push(await line(log.at(-1), change));
});

const judged = async (lines: AuditLine[], head = '') =>
  checked(lines, await sealChecker([keys.text]), noted(head));

describe('an audit log', () => {
  test('that nobody touched is whole, from its beginning or from later on', async () => {
    expect(await judged(log)).toMatchObject({ lines: 4, first: 1, sealed: 4, faults: [] });
    expect((await judged(log.slice(2))).faults).toEqual([]);
  });

  test.each<[string, (lines: AuditLine[]) => AuditLine[], RegExp]>([
    [
      'changed',
      ([a, b, ...rest]) => [a, { ...b, actor: 'eve' }, ...rest] as AuditLine[],
      /Line 2 was changed/,
    ],
    ['left out', ([a, , ...rest]) => [a, ...rest] as AuditLine[], /Lines 2 to 2 are missing/],
    ['moved', ([a, b, c, d]) => [a, c, b, d] as AuditLine[], /missing|out of order/],
    [
      'sealed by somebody else',
      ([a, b, ...rest]) => [a, { ...b, seal: 'AAAA' }, ...rest] as AuditLine[],
      /Line 2 has a seal/,
    ],
    [
      'of no key that is known',
      (lines) => lines.map((one) => ({ ...one, key: 'other' })),
      /no key that is known/,
    ],
  ])('with a line %s is not', async (_, touch, why) => {
    const { faults } = await judged(touch(log));
    expect(faults.join(' ')).toMatch(why);
  });

  test('whose end was cut off shows it by a head noted earlier alone', async () => {
    const last = log[3];
    expect((await judged(log.slice(0, 3))).faults).toEqual([]);
    expect((await judged(log.slice(0, 3), `4:${last?.hash}`)).faults[0]).toMatch(/the end was cut off/);
    expect((await judged(log, `4:${last?.hash}`)).faults).toEqual([]);
    expect((await judged(log, `3:${'a'.repeat(64)}`)).faults[0]).toMatch(/replaced/);
  });

  test('goes on after a restore, which took lines back and is a line itself', async () => {
    const restored = await line(log[1], 'restored', { action: 'colony.restored' });
    expect((await judged([...log, restored])).faults).toEqual([]);
  });

  test('is not judged by its seals where there are no keys to be had', async () => {
    expect((await checked(log, null, null)).sealed).toBeNull();
    expect(await sealChecker(['no key'])).toBeNull();
  });
});

test('a head is a number, a colon and a hash', () => {
  expect(noted('1:abc')).toBeNull();
  expect(noted(` 44:${'6A'.repeat(32)} `)).toEqual({ seq: 44, hash: '6a'.repeat(32) });
});
