import { readFileSync } from 'node:fs';

/** A file of the dashboard, held in memory. */
export interface Page {
  body: Uint8Array;
  headers: Record<string, string>;
}

/** Nothing but its own files and its own sockets: what a camera sends can never run as code. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: readonly { path: string; file: string; type: string }[] = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/dashboard.js', file: 'dashboard.js', type: 'text/javascript; charset=utf-8' },
  { path: '/dashboard.css', file: 'dashboard.css', type: 'text/css; charset=utf-8' },
];

/** Reads the dashboard's files. `folder` ends with a slash. */
export function loadPages(folder: URL): Map<string, Page> {
  return new Map(
    FILES.map(({ path, file, type }) => [
      path,
      {
        body: readFileSync(new URL(file, folder)),
        headers: {
          'content-type': type,
          'content-security-policy': CONTENT_SECURITY_POLICY,
          // The address may hold a token: it must not travel on as a referrer.
          'referrer-policy': 'no-referrer',
        },
      },
    ]),
  );
}
