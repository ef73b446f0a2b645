import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import LinearProgress from '@mui/material/LinearProgress';
import { Component, Suspense, useEffect, type ReactNode } from 'react';
import { Route, Routes, useLocation } from 'react-router';
import { useFollow } from '../api/follow';
import { useAppSelector } from '../state/store';
import { Nothing, Page } from '../ui/parts';
import { Login } from './Login';
import { loadAll, PAGES } from './pages';
import { Shell } from './Shell';

export function App() {
  const loggedIn = useAppSelector((state) => state.session.current !== null);
  return loggedIn ? <Inside /> : <Login />;
}

function Inside() {
  useFollow();
  useEffect(() => {
    const timer = setTimeout(() => void loadAll(), 500);
    return () => clearTimeout(timer);
  }, []);
  const { pathname } = useLocation();
  return (
    <Shell>
      <Boundary key={pathname}>
        <Suspense fallback={<LinearProgress aria-label="Loading the page" />}>
          <Routes>
            {PAGES.map(({ path, element: Element }) => (
              <Route key={path} path={path} element={<Element />} />
            ))}
            <Route path="/login" element={<Nothing>You are logged in.</Nothing>} />
            <Route
              path="*"
              element={
                <Page title="Nothing here">
                  <Nothing action={<Button href="#/">To the colony</Button>}>
                    No page has this address.
                  </Nothing>
                </Page>
              }
            />
          </Routes>
        </Suspense>
      </Boundary>
    </Shell>
  );
}

/** A page that breaks does not take the others with it. */
class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    const gone = /import|module|fetch/i.test(error.message);
    return (
      <Box sx={{ p: 3 }}>
        <Alert
          severity="error"
          action={
            <Button color="inherit" onClick={() => location.reload()}>
              Reload
            </Button>
          }
        >
          {gone
            ? 'This part of the page could not be loaded: the gateway was upgraded, or does not answer.'
            : `This page broke: ${error.message}`}
        </Alert>
      </Box>
    );
  }
}
