import { isMuted } from './alerts.ts';
import { askForNotices, noticePermission } from './desktop-notice.ts';
import { isSoundBlocked, sound, turnSound } from './sound.ts';

/** How this device calls for attention. */
export function AlertSettings() {
  const isOn = sound.value === 'on';
  const muted = isMuted.value === 'yes';
  return (
    <div class="settings">
      <button
        type="button"
        aria-pressed={isOn}
        title={isSoundBlocked.value ? 'The browser makes no sound before the first click' : undefined}
        onClick={() => turnSound(isOn ? 'off' : 'on')}
      >
        Sound
      </button>
      {noticePermission.value === 'default' && (
        <button type="button" title="While this page is hidden" onClick={() => void askForNotices()}>
          Notify me
        </button>
      )}
      <button
        type="button"
        aria-pressed={muted}
        title="No toasts, sounds and notifications; alerts still come into the list"
        onClick={() => {
          isMuted.value = muted ? 'no' : 'yes';
        }}
      >
        Mute
      </button>
      {noticePermission.value === 'failed' && (
        <p role="status">This browser lets pages show no notifications, though it has allowed this one to.</p>
      )}
    </div>
  );
}
