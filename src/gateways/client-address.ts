import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import proxyAddr from 'proxy-addr';

/** Tells whose connection it is: `remote` the address of its other end, as text; `forwardedFor` its `X-Forwarded-For`. */
export type ClientAddress = (remote: string, forwardedFor: string) => string;

/** An IPv6 host gets a whole /64 and may use any of its addresses. */
const IPV6_PREFIX_BITS = 64;
const KNOWN_ADDRESSES = 10_000;
const MAX_KEY_LENGTH = 256;

/**
 * Addresses by which clients are counted. `X-Forwarded-For` counts only as far as trusted proxies wrote it: whoever else writes it could be everybody.
 * @param trustedProxies addresses and subnets in CIDR notation, and the names `loopback`, `linklocal` and `uniquelocal`.
 * @throws TypeError for anything else.
 */
export function clientAddressBehind(trustedProxies: readonly string[]): ClientAddress {
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  // One string for all connections of an address, which each of them keeps.
  const known = new LRUCache<string, string>({ max: KNOWN_ADDRESSES });
  return (remote, forwardedFor) => {
    const key = forwardedFor === '' ? remote : `${remote} ${forwardedFor}`;
    const found = known.get(key) ?? counted(furthestTrusted(remote, forwardedFor, isTrusted));
    if (key.length <= MAX_KEY_LENGTH) known.set(key, found);
    return found;
  };
}

/** From the nearest on, as far as trusted proxies wrote it. What stands beyond that, anybody may have written. */
function furthestTrusted(
  remote: string,
  forwardedFor: string,
  isTrusted: (address: string, distance: number) => boolean,
): string {
  let address = normal(remote) ?? remote;
  for (const [distance, hop] of forwardedFor.split(',').reverse().entries()) {
    const further = normal(hop.trim());
    if (further === undefined || !isTrusted(address, distance)) break;
    address = further;
  }
  return address;
}

/** Whether they can be told from other addresses: what `clientAddressBehind` takes. */
export function areProxies(names: readonly string[]): boolean {
  try {
    proxyAddr.compile([...names]);
    return true;
  } catch {
    return false;
  }
}

/** IPv4 written as IPv6 is IPv4; a port, as some proxies add it, and a zone are left out. Undefined: no address. */
function normal(text: string): string | undefined {
  const host = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
  const bare = host.split('%')[0] ?? '';
  return isIP(bare) !== 0 && ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : undefined;
}

function counted(address: string): string {
  if (isIP(address) !== 6) return address;
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_PREFIX_BITS}`);
  return `${network.toString()}/${IPV6_PREFIX_BITS}`;
}
