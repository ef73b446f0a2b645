import { CacheProvider } from '@emotion/react';
import CssBaseline from '@mui/material/CssBaseline';
import { ThemeProvider } from '@mui/material/styles';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'react-redux';
import { HashRouter } from 'react-router';
import { App } from './app/App';
import { makeCache } from './app/sheet';
import { theme } from './app/theme';
import { makeStore } from './state/store';

const root = document.getElementById('root');
if (root === null) throw new Error('this is not the page of the dashboard');

createRoot(root).render(
  <StrictMode>
    <CacheProvider value={makeCache()}>
      <ThemeProvider theme={theme} defaultMode="system" modeStorageKey="aware-theme">
        <CssBaseline />
        <Provider store={makeStore()}>
          {/* Paths are behind "#": whatever path a proxy puts the page at, the gateway is asked for nothing else. */}
          <HashRouter>
            <App />
          </HashRouter>
        </Provider>
      </ThemeProvider>
    </CacheProvider>
  </StrictMode>,
);
