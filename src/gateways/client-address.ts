import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';

/** Tells whose connection it is: `remote` the address of its other end, as text; `forwardedFor` its `X-Forwarded-For`. */
export type ClientAddress = (remote: string, forwardedFor: string) => string;

/** An IPv6 host gets a whole /64 and may use any of its addresses. */
const IPV6_PREFIX_BITS = 64;

/**
 * Addresses by which clients are counted. `X-Forwarded-For` counts only as far as trusted proxies wrote it: whoever else writes it could be everybody.
 * @param trustedProxies addresses and subnets in CIDR notation, and the names `loopback`, `linklocal` and `uniquelocal`.
 * @throws TypeError for anything else.
 */
export function clientAddressBehind(trustedProxies: readonly string[]): ClientAddress {
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  return (remote, forwardedFor) => {
    let address = normal(remote) ?? remote;
    // From the nearest on, as far as trusted proxies wrote it. What stands beyond that, anybody may have written.
    const hops = forwardedFor.split(',').reverse();
    for (const [distance, hop] of hops.entries()) {
      const further = normal(hop.trim());
      if (further === undefined || !isTrusted(address, distance)) break;
      address = further;
    }
    return counted(address);
  };
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
