import type { Dispatcher } from 'undici';

/** The request is not wanted any more: not a byte of it was written. */
export class NotWanted extends Error {
  constructor() {
    super('no connection in time, its frames grew too old');
    this.name = 'NotWanted';
  }
}

/** Goes along with a request as its `opaque`. Asked when a connection is there for it; false: it fails with `NotWanted`. */
export type IsWanted = () => boolean;

/**
 * Asks once more just before a request is written. Between the call and that moment lie the wait for a free connection, and making one: with a
 * handshake that hangs, or a lost packet, seconds.
 */
export const justBeforeSending: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { opaque: isWanted } = options as { opaque?: IsWanted };
  if (isWanted === undefined) return dispatch(options, handler);
  return dispatch(options, {
    onRequestStart(controller, context) {
      // Thrown, not aborted: that would cost the connection.
      if (!isWanted()) throw new NotWanted();
      handler.onRequestStart?.(controller, context);
    },
    onResponseStart: (...args) => handler.onResponseStart?.(...args),
    onResponseData: (...args) => handler.onResponseData?.(...args),
    onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
    onResponseError: (...args) => handler.onResponseError?.(...args),
  });
};
