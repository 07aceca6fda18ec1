import ipaddr from 'ipaddr.js';
import type { Principal } from '../router/ports.ts';
import {
  findCredentials,
  hostOf,
  type Origins,
  pageOf,
  percentDecoded,
  type RequestHead,
  type Shown,
} from './credentials.ts';

/** Who says no name at all. */
const NAMELESS = 'dev';
const MAX_NAME_LENGTH = 128;

/**
 * A router that asks nobody who they are, to try clients out on one's own machine: who shows no good session is let in as whoever they say they are. Only the
 * pages of other sites are kept out, as a browser brings them to every port of its machine.
 */
export class Guests {
  /** Those of the operator, and every page of this machine. */
  readonly origins: Origins;
  readonly #hosts: ReadonlySet<string>;

  constructor(allowedOrigins: readonly string[]) {
    this.#hosts = new Set(allowedOrigins.map(hostOf));
    this.origins = { includes: (origin) => allowedOrigins.includes(origin) || isLoopback(hostNameOf(origin)) };
  }

  /** As `findCredentials`. */
  credentialsIn(request: RequestHead): Shown {
    const problem = this.#objection(request);
    return problem === undefined ? findCredentials(request, this.origins) : { kind: 'rejected', reason: problem };
  }

  /** `name`: what the path or the first message says. */
  principalOf(name: unknown): Principal {
    const isName = typeof name === 'string' && name !== '' && name.length <= MAX_NAME_LENGTH;
    return { userId: isName ? name : NAMELESS, sessionId: undefined };
  }

  /** The user that a path of the HTTP paths names. */
  principalAt(path: string): Principal {
    return this.principalOf(percentDecoded(/^\/api\/users\/([^/]+)/.exec(path)?.[1] ?? ''));
  }

  #objection(request: RequestHead): string | undefined {
    // A name that somebody else gave this address: to the browser such a page is the router's own, and it says nothing of an Origin.
    if (!isLoopback(hostNameOf(`http://${request.host}`)) && !this.#hosts.has(request.host)) {
      return 'Host: not a name of this machine';
    }
    const page = pageOf(request);
    const isOurs = page === undefined || this.origins.includes(page) || hostOf(page) === request.host;
    return isOurs ? undefined : 'Origin: a page of another site';
  }
}

/** `host`: a name or an address, without a port. */
export function isLoopback(host: string): boolean {
  const bare = /^\[(.+)\]$/.exec(host)?.[1] ?? host;
  return bare === 'localhost' || (ipaddr.isValid(bare) && ipaddr.process(bare).range() === 'loopback');
}

function hostNameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
