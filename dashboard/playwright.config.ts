import { defineConfig } from '@playwright/test';

// A real colony, and Debian's Chromium (or CHROMIUM=/path); screenshots for docs are written with AWARE_SCREENSHOTS=1.
export default defineConfig({
  testDir: 'tests/browser',
  workers: 1,
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    // Its certificates are of the colony's own authority, which this browser was not told to trust.
    ignoreHTTPSErrors: true,
    viewport: { width: 1360, height: 860 },
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      // Where root plays the tests there is no sandbox to be had.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
});
