import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { open } from './address.ts';
import { BoxOverlay } from './box-overlay.tsx';
import { clock } from './clock.ts';
import { LivePicture } from './live-picture.ts';
import { isPageShown, isWide, onScreenCount, useOnScreen } from './on-screen.ts';
import { OpenControls } from './open-controls.tsx';
import { maxFpsOf, type RateChoice } from './rate.ts';
import type { StreamEntry } from './stream-list.ts';
import type { Watch } from './watch.ts';
import { frameAgeWords, pictureNotice, tileLabel } from './words.ts';

export interface TileProps {
  stream: StreamEntry;
  watch: Watch;
  rate: RateChoice;
  isConnected: boolean;
  isOpen: boolean;
  isAnotherOpen: boolean;
  hasNeighbours: boolean;
  /** The Tab key leads here. */
  isTabStop: boolean;
  onFocus: () => void;
  onStep: (by: 1 | -1) => void;
}

/** One stream. Rendered once a second; frames go to its canvas alone. */
export function Tile(props: TileProps) {
  const { stream, watch, rate, isConnected, isOpen, isAnotherOpen, hasNeighbours, isTabStop, onFocus, onStep } = props;
  const { streamId, name, status, offlineSinceMs } = stream;
  const tile = useRef<HTMLLIElement>(null);
  const cover = useRef<HTMLButtonElement>(null);
  const picture = useMemo(() => new LivePicture(), []);
  const isOnScreen = useOnScreen(tile);
  const isWanted = isOnScreen && isPageShown.value && status !== 'offline';
  const maxFps = maxFpsOf({ choice: rate, isOpen, isAnotherOpen, visibleTiles: onScreenCount.value });
  const [watchingSinceMs, setWatchingSinceMs] = useState<number | undefined>(undefined);

  useEffect(() => {
    if (!isWanted) return undefined;
    const end = watch.frames(streamId, picture.show, maxFps);
    return () => {
      end();
      picture.stop();
    };
  }, [watch, streamId, picture, isWanted, maxFps]);
  useEffect(() => setWatchingSinceMs(isWanted && isConnected ? Date.now() : undefined), [isWanted, isConnected]);
  useReturnedFocus(cover, isOpen);
  const nowMs = clock.value;
  const { log } = picture;
  const size = picture.size.value;
  const fps = log.fps(nowMs);
  const notice = pictureNotice({
    status,
    isConnected,
    nowMs,
    watchingSinceMs,
    lastReceivedMs: log.lastReceivedMs,
    offlineSinceMs,
  });
  const boxes = watch.alerts.boxesOf(streamId).value;
  return (
    <li
      ref={tile}
      class="tile"
      data-stream={streamId}
      data-open={isOpen}
      data-old={notice !== undefined && log.drawn > 0}
      // Where somebody measures how this page keeps up, it is read here.
      data-drawn={log.drawn}
      data-drawn-at={Math.round(performance.now())}
      data-age-p95={log.ageP95Ms}
    >
      <div class="stage">
        <canvas ref={picture.takeCanvas} width="4" height="3" role="img" aria-label={`Live picture of ${name}`} />
        {size !== undefined && boxes.length > 0 && (
          <BoxOverlay boxes={boxes} size={size} labelShare={isOpen && isWide.value ? 0.025 : 0.05} />
        )}
        {notice !== undefined && <p class="notice">{notice}</p>}
        {notice === undefined && fps > 0 && log.lastAgeMs !== undefined && (
          <p class="rate numbers" title="Frames a second, and how old the last one was when it was drawn">
            {Math.max(1, Math.round(fps))} fps · {frameAgeWords(log.lastAgeMs)}
          </p>
        )}
        {!isOpen && (
          <button
            ref={cover}
            type="button"
            class="cover"
            tabIndex={isTabStop ? 0 : -1}
            onFocus={onFocus}
            aria-label={`${tileLabel(name, status, fps, notice)}. Open`}
            onClick={() => open(streamId)}
          />
        )}
      </div>
      <div class="caption">
        <strong title={name === streamId ? undefined : streamId}>{name}</strong>
        <span class="status state" data-mood={isConnected ? MOODS[status] : 'unknown'}>
          {status}
        </span>
        {isOpen && <OpenControls name={name} tile={tile} hasNeighbours={hasNeighbours} onStep={onStep} />}
      </div>
    </li>
  );
}

const MOODS = { streaming: 'good', online: 'warn', offline: 'bad' } as const;

/** Who has closed a stream by its keys goes on where it was. */
function useReturnedFocus(cover: { current: HTMLButtonElement | null }, isOpen: boolean): void {
  const wasOpen = useRef(false);
  useEffect(() => {
    const hasNoFocus = document.activeElement === null || document.activeElement === document.body;
    if (wasOpen.current && !isOpen && hasNoFocus) cover.current?.focus({ preventScroll: true });
    wasOpen.current = isOpen;
  }, [cover, isOpen]);
}
