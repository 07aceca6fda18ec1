import { decodeMap } from '../../../proto/codec.ts';
import { ProtocolError } from '../../../proto/errors.ts';
import type { HeldMessage } from './arrival.ts';

/** What a guest's first message says of who it is. */
export interface Introduction {
  token: string | undefined;
  /** Its `userId`, whatever that is. */
  name: unknown;
  /** An `auth` that brings a token, and nothing else. */
  isAuth: boolean;
}

/** Of a message that cannot be read: nothing. It is answered once its sender is in. */
export function introductionIn(first: HeldMessage | undefined): Introduction {
  const fields = first === undefined ? {} : fieldsOf(first);
  const { type, token, userId: name } = fields;
  const given = typeof token === 'string' && token !== '' ? token : undefined;
  return { token: given, name, isAuth: type === 'auth' && given !== undefined };
}

function fieldsOf({ message, encoding }: HeldMessage): Record<string, unknown> {
  try {
    return decodeMap(message, encoding);
  } catch (error) {
    if (error instanceof ProtocolError) return {};
    throw error;
  }
}
