import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CloseCode } from '../../proto/close-codes.ts';
import { SUBPROTOCOLS } from '../../proto/codec.ts';
import { ErrorCode } from '../../proto/errors.ts';
import { controlSchemas } from '../../proto/messages.ts';
import { ENVIRONMENT_VARIABLES, readConfig } from '../../src/config.ts';
import { WEB_SOCKET_PATHS } from '../../src/gateways/websocket/doors.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const readme = read('README.md');
const operating = read('docs/OPERATING.md');
const protocol = read('proto/PROTOCOL.md');
const example = read('.env.example');
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

/** Rows of Markdown tables as lists of cells. */
function rows(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

const environmentRows = rows(operating).filter(([name]) => /^`[A-Z][A-Z_]+`$/.test(name ?? ''));

test('OPERATING.md lists every environment variable, and no other', () => {
  expect(environmentRows.map(([name]) => name?.slice(1, -1)).sort()).toEqual([...ENVIRONMENT_VARIABLES].sort());
});

test('the defaults in OPERATING.md are those of a router without any environment', () => {
  const config: Record<string, unknown> = {
    ...readConfig({}),
    HOST: '0.0.0.0',
    BETTER_AUTH_URL: 'http://localhost:3000',
  };
  for (const [name = '', fallback = ''] of environmentRows) {
    if (fallback === '–') expect(config[name.slice(1, -1)]).toBeUndefined();
    else if (name !== '`ALLOWED_ORIGINS`') expect(String(config[name.slice(1, -1)])).toBe(fallback);
  }
  expect(readConfig({}).allowedOrigins).toEqual(['http://localhost:3000']);
});

test('.env.example names every variable, sets none, and shows values the router accepts', () => {
  const lines = example.split('\n').filter((line) => /^(# )?[A-Z_]+=/.test(line));
  expect(lines.map((line) => line.replace(/^# /, '').split('=')[0]).sort()).toEqual([...ENVIRONMENT_VARIABLES].sort());
  expect(lines.every((line) => line.startsWith('# '))).toBe(true);
  const values = lines.map((line) => line.slice(2).split(/=(.*)/s).slice(0, 2) as [string, string]);
  expect(() => readConfig({ ...Object.fromEntries(values), BETTER_AUTH_SECRET: 'x' })).not.toThrow();
});

test('allowed origins are compared as browsers write them, however they were typed', () => {
  const { allowedOrigins } = readConfig({ ALLOWED_ORIGINS: 'https://app.example.com/, HTTPS://B.example:443' });
  expect(allowedOrigins).toEqual(['https://app.example.com', 'https://b.example']);
});

test('an address that would lose its password or query on the way to the ML service is refused', () => {
  for (const url of ['http://user:pw@ml:8000', 'http://:pw@ml:8000', 'http://ml:8000/?key=1']) {
    expect(() => readConfig({ ML_SERVICE_URL: url })).toThrow('ML_SERVICE_URL: must have no user and no query');
  }
});

test('a service token that no header could carry is refused', () => {
  for (const token of ['two words', 'line\nbreak', 'schlüssel']) {
    expect(() => readConfig({ ML_SERVICE_TOKEN: token })).toThrow('ML_SERVICE_TOKEN: must have no spaces');
  }
});

test('frames go to one place: two addresses of ML services are a fault that is said', () => {
  const both = { ML_SERVICE_URL: 'http://ml:8000', ML_REDIS_URL: 'redis://redis' };
  expect(() => readConfig(both)).toThrow('ML_SERVICE_URL, ML_REDIS_URL: only one of them');
  expect(readConfig({ ML_SERVICE_WS_URL: 'ws://ml:8765' }).mlPlace).toEqual({ kind: 'ws', url: 'ws://ml:8765' });
});

test('proxies that cannot be told from other addresses are refused', () => {
  expect(() => readConfig({ TRUSTED_PROXIES: 'proxy.example' })).toThrow('TRUSTED_PROXIES: must be addresses');
  expect(readConfig({ TRUSTED_PROXIES: 'loopback, 10.0.0.0/8' }).trustedProxies).toEqual(['loopback', '10.0.0.0/8']);
});

test('an address that would lose its password on the way to the alert service is refused, its query is kept', () => {
  for (const url of ['http://user:pw@app/alerts', 'http://:pw@app/alerts']) {
    expect(() => readConfig({ ALERT_WEBHOOK_URL: url })).toThrow('ALERT_WEBHOOK_URL: must have no user');
  }
  expect(readConfig({ ALERT_WEBHOOK_URL: 'https://app/a?key=1' }).ALERT_WEBHOOK_URL).toBe('https://app/a?key=1');
});

test('an empty variable counts as unset', () => {
  expect(readConfig(Object.fromEntries(ENVIRONMENT_VARIABLES.map((name) => [name, ''])))).toEqual(readConfig({}));
});

test('the protocol explains every error code, and no other', () => {
  const documented = rows(protocol.split('## Error codes')[1]?.split('##')[0] ?? '').map(([code]) => code);
  expect(documented.filter((code) => code?.startsWith('`')).sort()).toEqual(
    Object.values(ErrorCode)
      .map((code) => `\`${code}\``)
      .sort(),
  );
});

test('the protocol explains every close code, and no other', () => {
  const documented = rows(protocol.split('## Close codes')[1]?.split('##')[0] ?? '').map(([code]) => code);
  expect(documented.filter((code) => /^\d+$/.test(code ?? '')).map(Number)).toEqual(Object.values(CloseCode));
});

test('the protocol explains every message type, subprotocol and path', () => {
  for (const type of [...Object.keys(controlSchemas), 'video-frame']) expect(protocol).toContain(`### \`${type}\``);
  for (const type of ['success', 'error', 'status', 'video-frame', 'alert', 'going-away']) {
    expect(protocol).toContain(`| \`${type}\` |`);
  }
  for (const name of Object.keys(SUBPROTOCOLS)) expect(protocol).toContain(`\`${name}\``);
  for (const path of WEB_SOCKET_PATHS) expect(protocol).toContain(`\`${path.replace(':user', '{user_id}')}\``);
});

test('every field of every control message stands in the protocol', () => {
  for (const schema of Object.values(controlSchemas)) {
    for (const field of Object.keys(schema.shape)) expect(protocol).toMatch(new RegExp(`\`${field}\\??\``));
  }
});

test('every npm command in the documents exists', () => {
  for (const document of [readme, read('CONTRIBUTING.md'), read('CHANGELOG.md')]) {
    for (const [, name = ''] of document.matchAll(/npm run (?:-s )?([\w:-]+)/g)) expect(scripts).toHaveProperty([name]);
  }
  expect(readme).toContain('npm ci && npm start');
  expect(readme).toContain('npm ci && npm test');
});

test('links in the documents lead to files that are there', () => {
  for (const [folder, document] of [
    ['', readme],
    ['', read('CONTRIBUTING.md')],
    ['proto/', protocol],
  ] as const) {
    for (const [, target = ''] of document.matchAll(/\]\(((?!http)[^)]+)\)/g)) {
      expect(() => read(`${folder}${target}${target.includes('.') ? '' : '/README.md'}`)).not.toThrow();
    }
    for (const [, path = ''] of document.matchAll(/`((?:src|proto|tests|bench)\/[\w/.-]+\.ts)`/g)) {
      expect(() => read(path)).not.toThrow();
    }
  }
});
