import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The gateway serves index.html at "/" and everything else below "assets/". All addresses are relative, so that the page
// works under any path that a proxy in front puts it at.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: process.env['DASHBOARD_OUT'] ?? '../aware_agent/gateway/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  server: {
    // npm run dev: a page that changes as you type, over a colony that runs (AWARE_GATEWAY=https://127.0.0.1:port).
    proxy: process.env['AWARE_GATEWAY']
      ? Object.fromEntries(
          ['/v1', '/openapi.json', '/docs'].map((path) => [
            path,
            { target: process.env['AWARE_GATEWAY'], secure: false, ws: true },
          ]),
        )
      : {},
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing.ts'],
    restoreMocks: true,
  },
});
