// Who is logged in. Tokens live in this tab alone, and go with it.

import { createSlice, type PayloadAction } from '@reduxjs/toolkit';
import type { Role, Tokens } from '../api/types';

export interface Session {
  access: string;
  refresh: string;
  role: Role;
  user: string;
}

export interface SessionState {
  current: Session | null;
  /** Why the last one ended, to be told at the login. */
  ended: string;
}

const PLACE = 'aware-session';

export function storedSession(): Session | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(PLACE) ?? 'null');
    return typeof stored === 'object' && stored !== null && 'access' in stored ? (stored as Session) : null;
  } catch {
    return null;
  }
}

export function storeSession(session: Session | null): void {
  if (session === null) sessionStorage.removeItem(PLACE);
  else sessionStorage.setItem(PLACE, JSON.stringify(session));
}

const slice = createSlice({
  name: 'session',
  initialState: (): SessionState => ({ current: storedSession(), ended: '' }),
  reducers: {
    began: (state, { payload }: PayloadAction<{ user: string; tokens: Tokens }>) => {
      const { tokens, user } = payload;
      state.current = { access: tokens.access_token, refresh: tokens.refresh_token, role: tokens.role, user };
      state.ended = '';
    },
    refreshed: (state, { payload }: PayloadAction<Tokens>) => {
      if (state.current === null) return;
      state.current.access = payload.access_token;
      // Without a queen there is none; the one we have stays good.
      if (payload.refresh_token !== '') state.current.refresh = payload.refresh_token;
      state.current.role = payload.role;
    },
    named: (state, { payload }: PayloadAction<string>) => {
      if (state.current !== null) state.current.user = payload;
    },
    ended: (state, { payload }: PayloadAction<string>) => {
      state.current = null;
      state.ended = payload;
    },
  },
});

export const { began, refreshed, named, ended } = slice.actions;
export const sessionReducer = slice.reducer;

const RANK: Record<Role, number> = { node: 0, viewer: 1, operator: 2, admin: 3, 'security-admin': 4 };

/** Whether a role holds another one's rights. The gateway decides; this only spares people buttons that refuse. */
export function holds(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && RANK[role] >= RANK[needed];
}
