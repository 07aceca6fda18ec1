import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether it is that of a service: the ML service's, or of those who run the router. Takes as long whatever is `given`. `serviceToken` undefined: there is none, and nobody has it. */
export function isServiceToken(given: string, serviceToken: string | undefined): boolean {
  // Hashes have one length, and say nothing about how much of the token was right.
  return serviceToken !== undefined && timingSafeEqual(hashOf(given), hashOf(serviceToken));
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
