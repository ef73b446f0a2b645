// A login at an identity provider: the authorization code flow with PKCE (RFC 7636), begun and ended by this page.

import type { Tokens } from './types';
import { link } from './colony';
import { problemOf } from './link';

const PLACE = 'aware-login';

/** What a provider sent a browser back with. */
export interface Returned {
  code: string;
  error: string;
  state: string;
}

interface Begun {
  verifier: string;
  state: string;
  /** Where the page was. */
  back: string;
}

function text(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}

const random = () => text(crypto.getRandomValues(new Uint8Array(32)));

/** The page's address as the provider's record has it: everything before /v1 of where a login begins. */
export function pageOf(loginUrl: string): string {
  return loginUrl.slice(0, loginUrl.indexOf('/v1/auth/') + 1);
}

/** Go to the provider. What is needed at the return waits in this tab, of this origin: so that has to be the right one. */
export async function begin(name: string, loginUrl: string, own: string): Promise<void> {
  const page = pageOf(loginUrl);
  if (page !== own) {
    location.assign(`${page}#/login?provider=${encodeURIComponent(name)}`);
    return;
  }
  const begun: Begun = { verifier: random(), state: random(), back: location.hash };
  sessionStorage.setItem(PLACE, JSON.stringify(begun));
  const hash = new Uint8Array(
    await crypto.subtle.digest('SHA-256', new TextEncoder().encode(begun.verifier)),
  );
  const query = new URLSearchParams({ redirect_uri: page, code_challenge: text(hash), state: begun.state });
  location.assign(`${loginUrl}?${query}`);
}

/** Whether a provider has just sent this browser back. */
export function returns(): boolean {
  const query = new URLSearchParams(location.search);
  return query.has('code') || query.has('error');
}

/** What a provider sent back in the address, once: it is gone from there after this. */
export function returned(): Returned | null {
  const query = new URLSearchParams(location.search);
  const [code, error, state] = ['code', 'error', 'state'].map((name) => query.get(name) ?? '') as [
    string,
    string,
    string,
  ];
  if (code === '' && error === '') return null;
  history.replaceState(null, '', location.pathname + location.hash);
  return { code, error, state };
}

/** Trade what came back for tokens. Throws an Error whose text is for people. */
export async function complete(answer: Returned): Promise<{ tokens: Tokens; back: string }> {
  const stored = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  const begun = stored === null ? null : (JSON.parse(stored) as Begun);
  if (begun === null || begun.state !== answer.state)
    throw new Error('This login was not begun in this tab. Begin it again.');
  if (answer.error !== '') throw new Error(`The identity provider said ${answer.error}.`);
  const reply = await link.send({
    method: 'POST',
    path: 'v1/auth/exchange',
    body: { code: answer.code, code_verifier: begun.verifier },
  });
  if (reply.status !== 200) {
    const { detail, hint } = problemOf(reply);
    throw new Error(hint === undefined ? detail : `${detail} – ${hint}`);
  }
  return { tokens: reply.body as Tokens, back: begun.back };
}
