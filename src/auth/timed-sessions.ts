import type { Clock, DurationSink, SessionVerifier, Verification } from '../router/ports.ts';

/** The same sessions; `took` is told how long each look-up took, and how it ended. */
export function timeSessions(
  sessions: SessionVerifier,
  clock: Clock,
  took: DurationSink<Verification['kind']>,
): SessionVerifier {
  return {
    async verify(token) {
      const beganMs = clock.monotonicMs();
      const verification = await sessions.verify(token);
      took(clock.monotonicMs() - beganMs, verification.kind);
      return verification;
    },
  };
}
