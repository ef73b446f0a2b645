// What surrounds every page: where one can go, how the colony is, how the page is connected, and what happened.

import Alert from '@mui/material/Alert';
import AppBar from '@mui/material/AppBar';
import Box from '@mui/material/Box';
import Collapse from '@mui/material/Collapse';
import Divider from '@mui/material/Divider';
import Drawer from '@mui/material/Drawer';
import IconButton from '@mui/material/IconButton';
import List from '@mui/material/List';
import ListItemButton from '@mui/material/ListItemButton';
import ListItemIcon from '@mui/material/ListItemIcon';
import ListItemText from '@mui/material/ListItemText';
import Menu from '@mui/material/Menu';
import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import { useColorScheme } from '@mui/material/styles';
import Toolbar from '@mui/material/Toolbar';
import Tooltip from '@mui/material/Tooltip';
import Typography from '@mui/material/Typography';
import useMediaQuery from '@mui/material/useMediaQuery';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { NavLink, useLocation } from 'react-router';
import { colonyApi } from '../api/colony';
import { dismissed, forgotten } from '../state/colony';
import { ended } from '../state/session';
import { useAppDispatch, useAppSelector } from '../state/store';
import { clock } from '../ui/format';
import { ApiIcon, CloseIcon, MenuIcon, MoonIcon, SunIcon, UserIcon } from '../ui/icons';
import { Word, type Tone } from '../ui/parts';
import { PAGES } from './pages';

const WIDTH = 208;

export function Shell({ children }: { children: ReactNode }) {
  const wide = useMediaQuery('(min-width: 960px)');
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  useEffect(() => {
    main.current?.scrollTo({ top: 0 });
  }, [pathname]);
  return (
    <Box sx={{ display: 'flex', height: '100%' }}>
      <Skip />
      <AppBar
        position="fixed"
        color="transparent"
        elevation={0}
        sx={{
          bgcolor: 'background.paper',
          borderBottom: 1,
          borderColor: 'divider',
          zIndex: (t) => t.zIndex.drawer + 1,
        }}
      >
        <Toolbar variant="dense" sx={{ gap: 1.5, minHeight: 52, px: { xs: 1.5, sm: 2 } }}>
          {!wide && (
            <IconButton onClick={() => setOpen(true)} aria-label="Open the menu" edge="start">
              <MenuIcon />
            </IconButton>
          )}
          <Brand />
          <Box sx={{ flexGrow: 1 }} />
          <LinkState />
          <Scheme />
          <Account />
        </Toolbar>
      </AppBar>
      <Drawer
        variant={wide ? 'permanent' : 'temporary'}
        open={wide || open}
        onClose={() => setOpen(false)}
        sx={{ width: wide ? WIDTH : 0, flexShrink: 0 }}
        slotProps={{
          paper: {
            sx: { width: WIDTH, bgcolor: wide ? 'transparent' : 'background.paper', borderColor: 'divider' },
          },
        }}
      >
        <Toolbar variant="dense" sx={{ minHeight: 52 }} />
        <Navigation close={() => setOpen(false)} />
      </Drawer>
      <Box
        component="main"
        id="main"
        ref={main}
        tabIndex={-1}
        sx={{
          flexGrow: 1,
          minWidth: 0,
          overflowY: 'auto',
          pt: '52px',
          outline: 'none',
          display: 'flex',
          flexDirection: 'column',
        }}
      >
        <Notices />
        {children}
      </Box>
    </Box>
  );
}

function Skip() {
  return (
    <Box
      component="a"
      href="#main"
      onClick={(event: React.MouseEvent) => {
        event.preventDefault();
        document.getElementById('main')?.focus();
      }}
      sx={{
        position: 'fixed', left: 8, top: -60, zIndex: 2000, p: 1, bgcolor: 'background.paper', color: 'primary.main', borderRadius: 1,
        '&:focus': { top: 8 },
      }} // prettier-ignore
    >
      Skip to the page
    </Box>
  );
}

function Brand() {
  const { data } = colonyApi.useClusterQuery();
  return (
    <Stack direction="row" spacing={1.25} sx={{ alignItems: 'center', minWidth: 0 }}>
      <img src="./assets/icon.svg" alt="" width="26" height="26" />
      <Typography sx={{ fontWeight: 700, letterSpacing: '0.04em', display: { xs: 'none', sm: 'block' } }}>
        AWARE
      </Typography>
      {data && (
        <>
          <Divider orientation="vertical" flexItem sx={{ my: 1, display: { xs: 'none', sm: 'block' } }} />
          <Typography noWrap sx={{ fontWeight: 600 }}>
            {data.colony}
          </Typography>
        </>
      )}
    </Stack>
  );
}

function LinkState() {
  const { link, heardAt, node, nodeRole } = useAppSelector((state) => state.colony);
  const nodes = colonyApi.useNodesQuery(undefined, {
    selectFromResult: ({ data }) => ({ list: data?.nodes }),
  });
  const name = nodes.list?.find((one) => one.id === node)?.name;
  const said: Record<typeof link, [Tone, string]> = {
    connecting: ['default', 'Connecting'],
    live: ['success', 'Live'],
    interrupted: ['warning', 'Reconnecting'],
    offline: ['error', heardAt ? `Offline since ${clock(heardAt / 1000)}` : 'Offline'],
  };
  const [tone, text] = said[link];
  const answers = name
    ? `${name} answers${nodeRole ? `, the ${nodeRole}` : ''}`
    : 'Events arrive as they happen';
  return (
    <Tooltip title={answers}>
      <Box role="status" aria-live="polite" data-testid="link" sx={{ fontWeight: 600, fontSize: '0.85rem' }}>
        <Word tone={tone}>{text}</Word>
      </Box>
    </Tooltip>
  );
}

function Scheme() {
  const { mode, systemMode, setMode } = useColorScheme();
  const dark = (mode === 'system' ? systemMode : mode) === 'dark';
  return (
    <Tooltip title={dark ? 'Light' : 'Dark'}>
      <IconButton
        size="small"
        onClick={() => setMode(dark ? 'light' : 'dark')}
        aria-label={dark ? 'Use light colours' : 'Use dark colours'}
      >
        {dark ? <SunIcon fontSize="small" /> : <MoonIcon fontSize="small" />}
      </IconButton>
    </Tooltip>
  );
}

export function useLogOut(): () => Promise<void> {
  const dispatch = useAppDispatch();
  const [logOut] = colonyApi.useLogOutMutation();
  return async () => {
    await logOut()
      .unwrap()
      .catch(() => undefined);
    dispatch(ended(''));
    dispatch(forgotten());
    dispatch(colonyApi.util.resetApiState());
  };
}

function Account() {
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const session = useAppSelector((state) => state.session.current);
  const logOut = useLogOut();
  if (session === null) return null;
  return (
    <>
      <IconButton
        size="small"
        onClick={(event) => setAnchor(event.currentTarget)}
        aria-label="Your account"
        aria-haspopup="menu"
      >
        <UserIcon fontSize="small" />
      </IconButton>
      <Menu anchorEl={anchor} open={anchor !== null} onClose={() => setAnchor(null)}>
        <Box sx={{ px: 2, py: 0.5 }} component="li" role="none">
          <Typography sx={{ fontWeight: 600 }}>{session.user}</Typography>
          <Typography variant="body2" sx={{ color: 'text.secondary' }}>
            {session.role}
          </Typography>
        </Box>
        <Divider component="li" role="separator" />
        <MenuItem component="a" href="#/access?tab=sessions" onClick={() => setAnchor(null)}>
          Sessions
        </MenuItem>
        <MenuItem onClick={() => void logOut()}>Log out</MenuItem>
      </Menu>
    </>
  );
}

function Navigation({ close }: { close: () => void }) {
  return (
    <Stack component="nav" aria-label="Pages" sx={{ flexGrow: 1, px: 1, py: 1 }}>
      <List dense disablePadding component="div">
        {PAGES.map(({ path, title, icon: Icon }) =>
          Icon === undefined ? null : (
            <ListItemButton
              key={path}
              component={NavLink}
              to={path}
              end={path === '/'}
              onClick={close}
              sx={{
                borderRadius: 2, mb: 0.25, color: 'text.secondary',
                '&.active': { bgcolor: 'action.selected', color: 'text.primary', '& svg': { color: 'primary.main' }, '& span': { fontWeight: 650 } },
              }} // prettier-ignore
            >
              <ListItemIcon sx={{ minWidth: 34, color: 'inherit' }}>
                <Icon fontSize="small" />
              </ListItemIcon>
              <ListItemText primary={title} />
            </ListItemButton>
          ),
        )}
      </List>
      <Box sx={{ flexGrow: 1 }} />
      <ListItemButton
        component="a"
        href="./docs"
        sx={{ borderRadius: 2, flexGrow: 0, color: 'text.secondary' }}
        dense
      >
        <ListItemIcon sx={{ minWidth: 34, color: 'inherit' }}>
          <ApiIcon fontSize="small" />
        </ListItemIcon>
        <ListItemText primary="API" />
      </ListItemButton>
    </Stack>
  );
}

function Notices() {
  const notices = useAppSelector((state) => state.colony.notices);
  const dispatch = useAppDispatch();
  return (
    <Box
      role="log"
      aria-live="polite"
      aria-label="What happened"
      data-testid="notices"
      sx={{ px: { xs: 1.5, sm: 3 }, maxWidth: 1560, mx: 'auto', width: '100%' }}
    >
      {notices.map((notice) => (
        <Collapse key={notice.id} in appear>
          <Alert
            severity={notice.tone}
            sx={{ mt: 1.5 }}
            action={
              <IconButton
                size="small"
                color="inherit"
                aria-label="Dismiss"
                onClick={() => dispatch(dismissed(notice.id))}
              >
                <CloseIcon fontSize="small" />
              </IconButton>
            }
          >
            {notice.text}
          </Alert>
        </Collapse>
      ))}
    </Box>
  );
}
