import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Divider from '@mui/material/Divider';
import Paper from '@mui/material/Paper';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useEffect, useEffectEvent, useState } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { colonyApi, link, OWN } from '../api/colony';
import { problemOf, Unreachable } from '../api/link';
import { begin, complete, returned, returns, type Returned } from '../api/provider';
import type { Tokens } from '../api/types';
import { forgotten } from '../state/colony';
import { began } from '../state/session';
import { useAppDispatch, useAppSelector } from '../state/store';

export function Login() {
  const ended = useAppSelector((state) => state.session.ended);
  const dispatch = useAppDispatch();
  const navigate = useNavigate();
  const location = useLocation();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(returns);
  const [error, setError] = useState('');
  const { data: ways } = colonyApi.useWaysQuery();
  const providers = (ways?.providers ?? []).filter((one) => one.login_url !== '');
  const council = colonyApi.useCouncilQuery();
  const colony = council.data?.colony;

  useEffect(() => {
    document.title = colony ? `Log in – ${colony} – AWARE` : 'Log in – AWARE';
  }, [colony]);
  // The member this page came from may be gone by the time somebody has typed a password.
  useEffect(() => {
    if (council.data) link.learn(council.data);
  }, [council.data]);

  const enter = async (name: string, tokens: Tokens) => {
    dispatch(forgotten());
    dispatch(began({ user: name, tokens }));
    if (name === '') {
      const reply = await link.send({ path: 'v1/auth/me', token: tokens.access_token });
      dispatch(began({ user: (reply.body as { name: string }).name, tokens }));
    }
  };

  const finish = useEffectEvent(async (answer: Returned) => {
    try {
      const { tokens, back } = await complete(answer);
      await enter('', tokens);
      await navigate(back.replace(/^#/, '').replace(/^\/login.*/, '/') || '/');
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : 'The login failed.');
    } finally {
      setBusy(false);
    }
  });
  useEffect(() => {
    const answer = returned();
    if (answer !== null) queueMicrotask(() => void finish(answer));
  }, []);

  // Another address of the colony sent the browser here, where the provider will bring it back to.
  const asked = new URLSearchParams(location.search).get('provider');
  const askedUrl = providers.find((one) => one.name === asked)?.login_url;
  useEffect(() => {
    if (asked !== null && askedUrl !== undefined && !busy && error === '') void begin(asked, askedUrl, OWN);
  }, [asked, askedUrl, busy, error]);

  const logIn = async () => {
    setBusy(true);
    setError('');
    try {
      const name = user.trim();
      const reply = await link.send({
        method: 'POST',
        path: 'v1/auth/token',
        body: { username: name, password },
      });
      if (reply.status === 200) {
        await enter(name, reply.body as Tokens);
        if (location.pathname === '/login') await navigate('/');
        return;
      }
      const { detail, hint } = problemOf(reply);
      setError(hint === undefined ? detail : `${detail} – ${hint}`);
    } catch (problem) {
      setError(problem instanceof Unreachable ? `${problem.message}. ${problem.hint}` : 'The login failed.');
    } finally {
      setBusy(false);
    }
  };

  return (
    <Box component="main" sx={{ minHeight: '100%', display: 'grid', placeItems: 'center', p: 2 }}>
      <Paper variant="outlined" sx={{ width: 'min(24rem, 100%)', p: 4 }}>
        <Stack spacing={2.5}>
          <Stack spacing={1} sx={{ alignItems: 'center' }}>
            <img src="./assets/icon.svg" alt="" width="44" height="44" />
            <Typography variant="h1">{colony ? `Log in to ${colony}` : 'Log in'}</Typography>
          </Stack>
          {ended !== '' && error === '' && (
            <Alert severity="info">{ended} Log in again to go on where you were.</Alert>
          )}
          {error !== '' && <Alert severity="error">{error}</Alert>}
          <Stack
            component="form"
            spacing={2}
            onSubmit={(event) => {
              event.preventDefault();
              void logIn();
            }}
          >
            <TextField
              label="User"
              value={user}
              onChange={(event) => setUser(event.target.value)}
              autoComplete="username"
              required
              slotProps={{ htmlInput: { autoCapitalize: 'none', spellCheck: false } }}
            />
            <TextField
              label="Password"
              type="password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
              autoComplete="current-password"
              required
            />
            <Button type="submit" variant="contained" size="medium" loading={busy}>
              Log in
            </Button>
          </Stack>
          {providers.length > 0 && (
            <>
              <Divider>or</Divider>
              <Stack spacing={1}>
                {providers.map(({ name, login_url }) => (
                  <Button
                    key={name}
                    variant="outlined"
                    size="medium"
                    disabled={busy}
                    onClick={() => void begin(name, login_url, OWN)}
                  >
                    Log in with {name}
                  </Button>
                ))}
              </Stack>
            </>
          )}
        </Stack>
      </Paper>
    </Box>
  );
}
