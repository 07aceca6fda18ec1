import { findCredentials, type RequestHead } from '../../src/gateways/credentials.ts';
import { mayWatch, type StreamAccess } from '../../src/router/access.ts';
import { type MicroTask, mustBe } from './suite.ts';

/**
 * What does a connection pay for being let in, before its session is looked up: finding its credentials, the origin of
 * the page, and, with each subscription, whether the stream is theirs to watch?
 */
export const question = 'What does a connection pay for the checks of its request, before the session is looked up?';

/** How many different requests or users take turns: enough that V8 cannot remember one answer. A power of two. */
const VARIANTS = 16;

const HOST = 'router.example.com';
const ALLOWED_ORIGINS = ['https://app.example.com', 'https://staging.example.com', 'https://admin.example.com'];
const OTHER_COOKIES = '_ga=GA1.1.1234567890.1729943200; theme=dark; lang=en-GB';

/** No credentials at all, and not from a browser. */
const BARE: RequestHead = {
  query: '',
  authorization: [],
  cookie: [],
  origin: '',
  host: HOST,
  forwardedFor: '',
  fetchSite: '',
  referer: '',
};

export function tasks(): MicroTask[] {
  return [
    asking('nothing, the loop alone', variants(String), () => true, true),
    watching('mayWatch, the owner', 'owner', (user) => user, true),
    watching('mayWatch, another user', 'owner', (user) => `${user.slice(0, -1)}!`, false),
    watching('mayWatch, any signed-in user', 'authenticated', (user) => `${user.slice(0, -1)}!`, true),
    finding('findCredentials in the query', (token) => ({ query: `token=${encodeURIComponent(token)}` }), true),
    finding('findCredentials in the header', (token) => ({ authorization: [`Bearer ${token}`] }), true),
    finding('findCredentials in the cookie, after three others', (token) => ({ cookie: [cookieOf(token)] }), true),
    finding('findCredentials where there are none', () => ({ cookie: [OTHER_COOKIES] }), false),
    origin('the cookie of a page, third on the list', 'https://admin.example.com', true),
    origin('the cookie of our own page', `https://${HOST}`, true),
    origin('the cookie of a foreign page', 'https://evil.example.com', false),
  ];
}

function watching(name: string, access: StreamAccess, ownerOf: (userId: string) => string, answer: boolean): MicroTask {
  const pairs = variants((index) => {
    const userId = `user_${String(index).padStart(2, '0')}_0123456789abcdefghijklmno`;
    return { userId: flat(userId), ownerId: flat(ownerOf(userId)) };
  });
  return asking(name, pairs, ({ userId, ownerId }) => mayWatch(access, userId, ownerId), answer);
}

function finding(name: string, carry: (token: string) => Partial<RequestHead>, answer: boolean): MicroTask {
  // As Better Auth signs them: 32 characters, a dot, 44 of base64.
  const requests = variants((index) =>
    requestOf(carry(`${String(index).padStart(2, '0')}3fKq9ZxYtR0aLmNpQsVuWxYzAbCdEf.s9v+Yq/${'k'.repeat(36)}=`)),
  );
  return asking(name, requests, (request) => isFound(request), answer);
}

function origin(name: string, value: string, answer: boolean): MicroTask {
  const requests = variants((index) => requestOf({ cookie: [cookieOf(`token-${index}`)], origin: value }));
  return asking(name, requests, isFound, answer);
}

function isFound(request: RequestHead): boolean {
  return findCredentials(request, ALLOWED_ORIGINS).kind === 'credentials';
}

function cookieOf(token: string): string {
  return `${OTHER_COOKIES}; better-auth.session_token=${encodeURIComponent(token)}`;
}

/** A task that asks about each of `subjects` in turn. */
function asking<T>(name: string, subjects: readonly T[], ask: (subject: T) => boolean, answer: boolean): MicroTask {
  let calls = 0;
  let yes = 0;
  return {
    name,
    operation: () => {
      calls += 1;
      if (ask(subjects[calls & (VARIANTS - 1)] as T)) yes += 1;
    },
    check: () => mustBe('answers yes', yes, answer ? calls : 0),
  };
}

function variants<T>(variant: (index: number) => T): T[] {
  return Array.from({ length: VARIANTS }, (_, index) => variant(index));
}

function requestOf(carried: Partial<RequestHead>): RequestHead {
  const { query, authorization, cookie, origin, host, forwardedFor, fetchSite, referer } = { ...BARE, ...carried };
  return {
    query: flat(query),
    authorization: authorization.map(flat),
    cookie: cookie.map(flat),
    origin: flat(origin),
    host: flat(host),
    forwardedFor: flat(forwardedFor),
    fetchSite: flat(fetchSite),
    referer: flat(referer),
  };
}

/** A string of its own, as from the socket library or the database: not the literal, nor in pieces as `+` leaves it. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}
