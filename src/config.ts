import * as z from 'zod';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../proto/limits.ts';
import { areProxies } from './gateways/client-address.ts';
import { isLoopback } from './gateways/guests.ts';
import { StartError } from './start-error.ts';

const MIB = 1024 * 1024;

function integer(min: number, max: number, fallback: number) {
  return z.coerce.number().int().min(min).max(max).default(fallback);
}

function httpUrl() {
  return z.url({ protocol: /^https?$/, error: 'must be a URL that starts with http:// or https://' });
}

function serviceToken() {
  const problem = 'must have no spaces, and no characters beyond ASCII: it goes into a header';
  return z
    .string()
    .regex(/^[\x21-\x7e]+$/, { error: problem })
    .optional();
}

/** Whether a URL names a user or a password. What is no URL at all is somebody else's fault to report. */
function hasUser(url: string): boolean {
  return URL.canParse(url) && (new URL(url).username !== '' || new URL(url).password !== '');
}

/** Every variable the router reads, with its meaning for `.env.example` and `docs/OPERATING.md`; a test holds the three together. */
const environment = z.object({
  PORT: integer(0, 65_535, 3000),
  HOST: z.string().optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),

  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be a URL that starts with postgresql://' })
    .optional(),
  BETTER_AUTH_SECRET: z.string().optional(),
  BETTER_AUTH_URL: httpUrl().optional(),
  ALLOWED_ORIGINS: z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim()))
    .pipe(z.array(httpUrl().transform((url) => new URL(url).origin)))
    .optional(),
  TRUSTED_PROXIES: z
    .string()
    .transform((list) => list.split(',').map((proxy) => proxy.trim()))
    .refine((proxies) => areProxies(proxies), {
      error: 'must be addresses, subnets such as 10.0.0.0/8, or loopback, linklocal, uniquelocal',
    })
    .optional(),
  SESSION_CACHE_MS: integer(0, 3_600_000, 30_000),
  SESSION_RECHECK_MS: integer(100, 3_600_000, 60_000),
  AUTH_DEADLINE_MS: integer(100, 600_000, 10_000),
  AUTH_REJECT_AT_UPGRADE: z.stringbool().default(false),
  AUTH_MODE: z.enum(['sessions', 'insecure-dev']).default('sessions'),
  STREAM_ACCESS: z.enum(['owner', 'authenticated']).default('owner'),
  STREAM_OWNERS: z.enum(['first', 'video_stream']).default('first'),

  MAX_PAYLOAD_BYTES: integer(1024, 1024 * MIB, DEFAULT_MAX_MESSAGE_BYTES),
  VIEWER_BACKPRESSURE_BYTES: integer(16 * 1024, 1024 * MIB, MIB),
  STREAM_MAX_FPS: integer(1, 100_000, 60),
  STREAM_MAX_BYTES_PER_SECOND: integer(1024, 16 * 1024 * MIB, 64 * MIB),
  STREAM_GRACE_MS: integer(0, 3_600_000, 15_000),
  MAX_CONNECTIONS: integer(1, 1_000_000, 50_000),
  MAX_CONNECTIONS_PER_IP: integer(1, 1_000_000, 1_000),
  MAX_PENDING_PER_IP: integer(1, 1_000_000, 50),
  MAX_CONNECTIONS_PER_USER: integer(1, 1_000_000, 500),
  MAX_AUTH_FAILURES_PER_IP: integer(1, 1_000_000, 60),
  MAX_STREAMS_PER_USER: integer(1, 1_000_000, 1_000),
  MAX_VIEWERS_PER_STREAM: integer(1, 1_000_000, 10_000),

  ML_SERVICE_URL: httpUrl()
    .refine((url) => !hasUser(url) && (!URL.canParse(url) || new URL(url).search === ''), {
      error: 'must have no user and no query, they would not be sent',
    })
    .optional(),
  ML_SERVICE_WS_URL: z
    .url({ protocol: /^wss?$/, error: 'must be a URL that starts with ws:// or wss://' })
    .refine((url) => !hasUser(url), { error: 'must have no user, it would not be sent' })
    .optional(),
  ML_REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a URL that starts with redis:// or rediss://' })
    .optional(),
  ML_SERVICE_TOKEN: serviceToken(),
  OPS_TOKEN: serviceToken(),
  ALLOW_ML_CLIENTS: z.stringbool().default(false),
  ML_PROTOCOL: z.enum(['auto', 'batch', 'single']).default('auto'),
  ML_FPS: z.coerce.number().positive().max(1000).default(5),
  ML_BATCH_SIZE: integer(1, 256, 16),
  ML_BATCH_WAIT_MS: integer(0, 10_000, 25),
  ML_MAX_IN_FLIGHT: integer(1, 256, 4),
  ML_MAX_AGE_MS: integer(1, 60_000, 1000),
  ML_TIMEOUT_MS: integer(1, 600_000, 5000),
  ML_PRIORITY_FIELD: z.string().max(128).optional(),

  ALERT_WEBHOOK_URL: httpUrl()
    .refine((url) => !hasUser(url), { error: 'must have no user, it would not be sent' })
    .optional(),
  ALERT_WEBHOOK_SECRET: z.string().optional(),
  ALERT_COOLDOWN_MS: integer(0, 86_400_000, 0),
  EVIDENCE_MAX_BYTES: integer(0, 16 * 1024 * MIB, 64 * MIB),
});

type Environment = z.infer<typeof environment>;

/** Names of all variables, for the tests of the documentation. */
export const ENVIRONMENT_VARIABLES: readonly string[] = Object.keys(environment.shape);

/** Where sessions are looked up; undefined in demo mode, until the demo has made a place. */
export interface AuthConfig {
  databaseUrl: string;
  secret: string;
  baseUrl: string;
}

/** Where frames are analysed. */
export type MlPlace = { kind: 'http' | 'ws' | 'redis'; url: string };

type Derived =
  | 'ML_SERVICE_URL'
  | 'ML_SERVICE_WS_URL'
  | 'ML_REDIS_URL'
  | 'DATABASE_URL'
  | 'BETTER_AUTH_SECRET'
  | 'BETTER_AUTH_URL'
  | 'HOST'
  | 'ALLOWED_ORIGINS'
  | 'TRUSTED_PROXIES';

export type Config = Readonly<Omit<Environment, Derived>> & {
  readonly host: string;
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly auth: AuthConfig | undefined;
  readonly mlPlace: MlPlace | undefined;
};

/** What is wrong with the environment: every fault at once, one line each. */
class ConfigError extends StartError {
  constructor(faults: readonly string[]) {
    super(`The environment is not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads the environment. An empty variable counts as unset.
 * @throws StartError listing all faults.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
  const result = environment.safeParse(given);
  const faults = result.success ? [] : result.error.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`);
  if (given['DATABASE_URL'] !== undefined && given['BETTER_AUTH_SECRET'] === undefined) {
    faults.push('BETTER_AUTH_SECRET: required with DATABASE_URL, the same as the web app has');
  }
  const places = ['ML_SERVICE_URL', 'ML_SERVICE_WS_URL', 'ML_REDIS_URL'].filter((name) => given[name] !== undefined);
  if (places.length > 1) faults.push(`${places.join(', ')}: only one of them, frames go to one place`);
  const defaultHost = given['DATABASE_URL'] === undefined ? '127.0.0.1' : '0.0.0.0';
  const isInsecure = given['AUTH_MODE'] === 'insecure-dev';
  if (isInsecure && !isLoopback(given['HOST'] ?? defaultHost)) {
    faults.push('AUTH_MODE: insecure-dev lets everybody in, so HOST must be a loopback address, such as 127.0.0.1');
  }
  if (result.data?.ALLOW_ML_CLIENTS && !isInsecure && given['ML_SERVICE_TOKEN'] === undefined) {
    faults.push('ML_SERVICE_TOKEN: required with ALLOW_ML_CLIENTS, it is what such a client shows');
  }
  if (!result.success || faults.length > 0) throw new ConfigError(faults);
  const { DATABASE_URL, BETTER_AUTH_SECRET, BETTER_AUTH_URL, HOST, ALLOWED_ORIGINS, TRUSTED_PROXIES, ...others } =
    result.data;
  const { ML_SERVICE_URL, ML_SERVICE_WS_URL, ML_REDIS_URL, ...rest } = others;
  const baseUrl = BETTER_AUTH_URL ?? 'http://localhost:3000';
  const auth =
    DATABASE_URL === undefined || BETTER_AUTH_SECRET === undefined
      ? undefined
      : { databaseUrl: DATABASE_URL, secret: BETTER_AUTH_SECRET, baseUrl };
  return Object.freeze({
    ...rest,
    allowedOrigins: ALLOWED_ORIGINS ?? [new URL(baseUrl).origin],
    trustedProxies: TRUSTED_PROXIES ?? [],
    mlPlace: placeOf({ http: ML_SERVICE_URL, ws: ML_SERVICE_WS_URL, redis: ML_REDIS_URL }),
    host: HOST ?? defaultHost,
    auth,
    // Who is not asked who they are need not be told apart, either.
    ...(isInsecure ? { STREAM_ACCESS: 'authenticated', ALLOW_ML_CLIENTS: true } : {}),
  });
}

function placeOf(urls: Readonly<Record<MlPlace['kind'], string | undefined>>): MlPlace | undefined {
  for (const kind of ['http', 'ws', 'redis'] as const) {
    const url = urls[kind];
    if (url !== undefined) return { kind, url };
  }
  return undefined;
}
