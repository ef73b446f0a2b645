// Tabs whose choice is in the address.

import Tab from '@mui/material/Tab';
import Tabs from '@mui/material/Tabs';
import Box from '@mui/material/Box';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';

export interface TabEntry {
  key: string;
  label: string;
  content: () => ReactNode;
}

export function TabPages({ label, tabs }: { label: string; tabs: readonly TabEntry[] }) {
  const [search, setSearch] = useSearchParams();
  const chosen = tabs.find((tab) => tab.key === search.get('tab')) ?? tabs[0];
  if (chosen === undefined) return null;
  return (
    <>
      <Tabs
        value={chosen.key}
        aria-label={label}
        variant="scrollable"
        onChange={(_, key: string) => setSearch(key === tabs[0]?.key ? {} : { tab: key }, { replace: true })}
        sx={{ borderBottom: 1, borderColor: 'divider', minHeight: 42 }}
      >
        {tabs.map(({ key, label: text }) => (
          <Tab key={key} value={key} label={text} id={`tab-${key}`} aria-controls={`panel-${key}`} />
        ))}
      </Tabs>
      <Box role="tabpanel" id={`panel-${chosen.key}`} aria-labelledby={`tab-${chosen.key}`}>
        {chosen.content()}
      </Box>
    </>
  );
}
