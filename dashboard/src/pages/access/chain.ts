// Is the audit log whole? Each line holds the hash of the one before and its own; seals say that the colony wrote them.
// The same is checked by "aware audit verify"; see docs/audit.md for what a chain can prove.

import type { AuditLine } from '../../api/types';

const NOTHING = '0'.repeat(64);
const RESTORED = 'colony.restored';
const CONTEXT = 'aware-audit-1:';

export interface Noted {
  seq: number;
  hash: string;
}

export interface Verdict {
  lines: number;
  first: number;
  head: Noted;
  /** Lines whose seal is the colony's, and those of older keys that a later one vouches for; null: not checked here. */
  sealed: number | null;
  faults: string[];
}

/** "SEQ:HASH", as the command prints it; null for anything else. */
export function noted(text: string): Noted | null {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text.trim());
  return match ? { seq: Number(match[1]), hash: (match[2] ?? '').toLowerCase() } : null;
}

/** What is hashed: RFC 8785 of the line without hash and seal; all values are texts and whole numbers. */
export function canonical(line: AuditLine): string {
  const fields = Object.entries(line)
    .filter(([name]) => name !== 'hash' && name !== 'seal')
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(Object.fromEntries(fields));
}

async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return hex(new Uint8Array(hash));
}

function hex(raw: Uint8Array): string {
  return [...raw].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

type Sealed = (line: AuditLine) => Promise<boolean | null>;

/** Checks seals with the colony's public keys; null where this browser cannot. A line of an unknown key is null. */
export async function sealChecker(keys: readonly string[]): Promise<Sealed | null> {
  const known = new Map<string, CryptoKey>();
  try {
    for (const key of keys) {
      const raw = decoded(key);
      const id = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', raw))).slice(0, 16);
      known.set(id, await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']));
    }
  } catch {
    return null;
  }
  return async (line) => {
    const key = known.get(line.key);
    if (key === undefined) return null;
    try {
      const text = new TextEncoder().encode(CONTEXT + line.hash);
      return await crypto.subtle.verify('Ed25519', key, decoded(line.seal), text);
    } catch {
      return false;
    }
  };
}

/** Looks at all lines in their order. ``anchor`` is a head that was noted earlier and has to be there. */
export async function checked(
  lines: readonly AuditLine[],
  sealed: Sealed | null,
  anchor: Noted | null,
): Promise<Verdict> {
  const hashes = new Map<number, string>();
  const faults: string[] = [];
  const seals = { good: 0, open: [] as number[] };
  let last: AuditLine | undefined;
  for (const line of lines) {
    if ((await digest(canonical(line))) !== line.hash)
      faults.push(`Line ${line.seq} was changed: its hash does not fit what it says.`);
    const fault = following(line, last, hashes);
    if (fault !== '') faults.push(fault);
    if (sealed !== null) {
      const good = await sealed(line);
      if (good === null) seals.open.push(line.seq);
      else if (good) [seals.good, seals.open] = [seals.good + seals.open.length + 1, []];
      else faults.push(`Line ${line.seq} has a seal that the colony did not make.`);
    }
    hashes.set(line.seq, line.hash);
    last = line;
  }
  if (seals.open.length > 0)
    faults.push(
      `Lines ${seals.open[0] ?? 0} to ${seals.open.at(-1) ?? 0} are sealed by no key that is known.`,
    );
  if (anchor !== null) faults.push(...missed(anchor, hashes, lines[0]?.seq ?? 0, last?.seq ?? 0));
  return {
    lines: lines.length,
    first: lines[0]?.seq ?? 0,
    head: { seq: last?.seq ?? 0, hash: last?.hash ?? NOTHING },
    sealed: sealed === null ? null : seals.good,
    faults,
  };
}

/** What is wrong between a line and the one before; "": nothing. Takes out of ``hashes`` what a restore took back. */
function following(line: AuditLine, last: AuditLine | undefined, hashes: Map<number, string>): string {
  if (last === undefined)
    return line.seq === 1 && line.prev !== NOTHING ? 'Line 1 says that another one was before it.' : '';
  const before = hashes.get(line.seq - 1) ?? NOTHING;
  if (line.action === RESTORED && line.seq <= last.seq && before === line.prev) {
    for (const seq of hashes.keys()) if (seq >= line.seq) hashes.delete(seq);
    return '';
  }
  if (line.seq > last.seq + 1) return `Lines ${last.seq + 1} to ${line.seq - 1} are missing.`;
  if (line.seq <= last.seq) return `Line ${line.seq} stands out of order, after line ${last.seq}.`;
  return line.prev === last.hash
    ? ''
    : `Line ${line.seq} does not continue line ${last.seq}: one of them was replaced.`;
}

function missed(anchor: Noted, hashes: Map<number, string>, first: number, head: number): string[] {
  if (hashes.get(anchor.seq) === anchor.hash) return [];
  if (anchor.seq > head)
    return [`Line ${anchor.seq} was noted before, and this log ends at line ${head}: the end was cut off.`];
  if (anchor.seq < first)
    return [`Line ${anchor.seq} was noted before, and this log begins at line ${first}: see the archives.`];
  return [`Line ${anchor.seq} was noted with another hash: the log was replaced from there or before.`];
}
