import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Alert } from '../../client/index.ts';
import type { Alerts } from './alerts.ts';
import { Icon } from './icon.tsx';
import { isWide } from './on-screen.ts';

export interface ToastsProps {
  alerts: Alerts;
  nameOf: (streamId: string) => string;
  onShow: (streamId: string) => void;
  onShowAll: () => void;
}

/** New alerts, for a while. */
export function Toasts({ alerts, nameOf, onShow, onShowAll }: ToastsProps) {
  const { toasts, more } = alerts.toasts.value;
  // There they would only cover the list that has them, too.
  const isQuiet = alerts.isListShown.value && !isWide.value;
  const section = useRef<HTMLElement>(null);
  const isPointedAt = useRef(false);
  // Looked up rather than counted: no event says that the button that had the focus was taken away.
  const look = () => {
    alerts.areToastsHeld.value = isPointedAt.current || section.current?.matches(':focus-within') === true;
  };
  useLayoutEffect(look);
  const point = (isHere: boolean) => {
    isPointedAt.current = isHere;
    look();
  };
  const show = ({ id, streamId }: Alert) => {
    alerts.dismiss(id);
    isPointedAt.current = false;
    onShow(streamId);
  };
  return (
    <section
      ref={section}
      class={isQuiet ? 'toasts unseen' : 'toasts'}
      aria-label="New alerts"
      onPointerEnter={() => point(true)}
      onPointerLeave={() => point(false)}
      onFocusIn={look}
      onFocusOut={look}
    >
      {toasts.map(({ alert }) => (
        <div
          key={alert.id}
          class="toast"
          data-severity={alert.severity}
          role={alert.severity === 'critical' || alert.severity === 'high' ? 'alert' : 'status'}
        >
          <button type="button" class="plain" onClick={() => show(alert)}>
            <span class="line">
              <span class="severity">{alert.severity}</span>
              <span class="source muted">{nameOf(alert.streamId)}</span>
            </span>
            <span class="message">{alert.message}</span>
          </button>
          <button
            type="button"
            class="plain dismiss"
            aria-label={`Dismiss: ${alert.message}`}
            onClick={() => alerts.dismiss(alert.id)}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      {more > 0 && (
        <button type="button" class="toast more" onClick={onShowAll}>
          and {more} more
        </button>
      )}
    </section>
  );
}
