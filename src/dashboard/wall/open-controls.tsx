import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { close } from './address.ts';
import { toggleFullscreen } from './fullscreen.ts';
import { Icon, type IconName } from './icon.tsx';

export interface OpenControlsProps {
  name: string;
  tile: RefObject<HTMLElement | null>;
  hasNeighbours: boolean;
  onStep: (by: 1 | -1) => void;
}

/** What can be done with the stream that is open. */
export function OpenControls({ name, tile, hasNeighbours, onStep }: OpenControlsProps) {
  const closeButton = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    closeButton.current?.focus({ preventScroll: true });
    tile.current?.scrollIntoView({ block: 'nearest' });
  }, [tile]);
  return (
    <div class="controls">
      {hasNeighbours && (
        <>
          <Control label="Previous stream" icon="previous" onClick={() => onStep(-1)} />
          <Control label="Next stream" icon="next" onClick={() => onStep(1)} />
        </>
      )}
      {document.fullscreenEnabled && <Control label="Full screen" icon="fullscreen" onClick={toggleFullscreen} />}
      <button ref={closeButton} type="button" onClick={close} aria-label={`Close ${name}`} title="Close (Escape)">
        <Icon name="close" />
      </button>
    </div>
  );
}

function Control({ label, icon, onClick }: { label: string; icon: IconName; onClick: () => void }) {
  return (
    <button type="button" onClick={onClick} aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  );
}
