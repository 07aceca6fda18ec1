import { useComputed } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { close, open, openStream } from './address.ts';
import { EmptyWall } from './empty-wall.tsx';
import { leaveFullscreen } from './fullscreen.ts';
import { arrowTarget, isTyping } from './keys.ts';
import { preference } from './preference.ts';
import { RATE_CHOICES, type RateChoice } from './rate.ts';
import { neighbour, tabStop } from './stream-list.ts';
import { Tile } from './tile.tsx';
import type { Watch } from './watch.ts';
import { countWords } from './words.ts';

const RATE_WORDS: Readonly<Record<RateChoice, string>> = {
  automatic: 'Automatic',
  full: 'Full rate',
  '15': '15 a second',
  '5': '5 a second',
  '1': '1 a second',
};

const rate = preference('rate', RATE_CHOICES, 'automatic');

/** All streams as tiles; one of them may be open. */
export function Streams({ watch }: { watch: Watch }) {
  const grid = useRef<HTMLUListElement>(null);
  const streams = watch.streams.value;
  const opened = openStream.value;
  const openId = openIn(watch);
  const refusal = opened === undefined ? undefined : watch.refusals.value.get(opened);
  const [focusedId, setFocusedId] = useState<string | undefined>(undefined);
  const tabStopId = tabStop(streams, focusedId, openId);
  const isConnected = useComputed(() => watch.connection.value.name === 'open').value;

  // Full screen is of the open stream.
  useEffect(() => {
    if (openId === undefined) void leaveFullscreen();
  }, [openId]);

  // Keys may come faster than what they do is rendered: each asks anew what is open.
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : undefined;
      const isOpen = openIn(watch) !== undefined;
      if (isOpen && event.key === 'Escape') close();
      else if (isOpen && step !== undefined) goOn(watch, step);
      else if (!isOpen) {
        const target = arrowTarget(grid.current, event.key);
        if (target === undefined) return;
        target.focus();
      } else return;
      event.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [watch]);

  return (
    <section class="streams" aria-label="Live streams">
      <div class="toolbar">
        <h2>{countWords(streams.length, 'stream', 'streams')}</h2>
        <label>
          <span>Pictures</span>
          <select
            name="rate"
            value={rate.value}
            onChange={({ currentTarget }) => {
              rate.value = RATE_CHOICES.find((choice) => choice === currentTarget.value) ?? 'automatic';
            }}
          >
            {RATE_CHOICES.map((choice) => (
              <option key={choice} value={choice}>
                {RATE_WORDS[choice]}
              </option>
            ))}
          </select>
        </label>
      </div>
      {refusal !== undefined && (
        <div class="banner" role="alert">
          <p>
            {opened} cannot be shown: {refusal}.
          </p>
          <button type="button" onClick={close}>
            Show the wall
          </button>
        </div>
      )}
      {streams.length === 0 && isConnected && refusal === undefined && <EmptyWall />}
      <ul
        id="streams"
        ref={grid}
        class="tiles"
        data-open={openId !== undefined}
        style={{ '--columns': columnsFor(streams.length) }}
      >
        {streams.map((stream) => (
          <Tile
            key={stream.streamId}
            stream={stream}
            watch={watch}
            rate={rate.value}
            isConnected={isConnected}
            isOpen={stream.streamId === openId}
            isAnotherOpen={openId !== undefined && stream.streamId !== openId}
            hasNeighbours={streams.length > 1}
            isTabStop={stream.streamId === tabStopId}
            onFocus={() => setFocusedId(stream.streamId)}
            onStep={(by) => goOn(watch, by)}
          />
        ))}
      </ul>
    </section>
  );
}

/** The stream that is open, if it is on this wall. */
function openIn({ streams }: Watch): string | undefined {
  const { value: opened } = openStream;
  return streams.value.some(({ streamId }) => streamId === opened) ? opened : undefined;
}

/** To the next stream, or the one before. */
function goOn(watch: Watch, by: 1 | -1): void {
  const openId = openIn(watch);
  const next = openId === undefined ? undefined : neighbour(watch.streams.value, openId, by);
  if (next !== undefined) open(next);
}

/** So that the tiles of a few streams fill the screen. */
function columnsFor(count: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count)));
}
