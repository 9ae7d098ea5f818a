import { defineConfig } from 'vitest/config';

// The page is written to React's interface; Preact answers for it because it is a tenth of the
// size. A page that outgrows it drops these aliases and adds react and react-dom.
const alias = {
  'react-dom/client': 'preact/compat/client',
  'react/jsx-runtime': 'preact/jsx-runtime',
  'react/jsx-dev-runtime': 'preact/jsx-runtime',
  'react-dom': 'preact/compat',
  react: 'preact/compat',
};

const server = 'http://127.0.0.1:8484';

export default defineConfig({
  resolve: { alias },
  build: {
    target: 'es2022',
    // The server's policy allows its own files only: nothing may be inlined as data: or script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/v1': server, '/health': server } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
