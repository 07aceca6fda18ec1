import { useConnection } from 'watchout-router/react';

/** Where the connection stands, in words. It comes back by itself, unless it is `closed`. */
export function Connection() {
  const state = useConnection();
  return (
    <p className={`connection ${state.name}`} role="status">
      {inWords(state)}
    </p>
  );
}

function inWords(state) {
  switch (state.name) {
    case 'connecting':
      return state.attempt === 1 ? 'Connecting …' : `Connecting, attempt ${state.attempt} …`;
    case 'open':
      return 'Connected';
    case 'waiting':
      return `${state.reason}. Trying again in ${Math.ceil(state.retryInMs / 1000)} s.`;
    case 'closed':
      return state.reason;
  }
}
