import type { Signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { STREAM_ID_PATTERN } from '../../../proto/limits.ts';
import { FPS_CHOICES, keepSettings, type Settings, SIDES, WIDTH_CHOICES } from './settings.ts';

/** An attribute is matched as a whole, and in a stricter mode. */
const STREAM_ID_CHARACTERS = STREAM_ID_PATTERN.source.replace(/^\^|\$$/g, '').replace(':-]', ':\\-]');

export interface SettingsFormProps {
  settings: Signal<Settings>;
  isStarting: boolean;
  onStart: () => void;
}

/** What is to be filmed, and how. */
export function SettingsForm({ settings, isStarting, onStart }: SettingsFormProps) {
  const { name, device, fps, maxWidth, streamId } = settings.value;
  const devices = useDevices();
  const choose = (chosen: Partial<Settings>) => {
    settings.value = { ...settings.value, ...chosen };
    keepSettings(settings.value);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onStart();
  };
  return (
    <form class="panel settings" onSubmit={submit}>
      <h2>Make a camera of this device</h2>
      <label>
        Name
        <input
          name="name"
          value={name}
          maxLength={60}
          placeholder="Front door"
          autocomplete="off"
          onInput={({ currentTarget }) => choose({ name: currentTarget.value })}
        />
      </label>
      <label>
        Camera
        <select name="device" value={device} onChange={({ currentTarget }) => choose({ device: currentTarget.value })}>
          {Object.entries(SIDES).map(([side, words]) => (
            <option key={side} value={side}>
              {words}
            </option>
          ))}
          {devices.map(({ deviceId, label }) => (
            <option key={deviceId} value={deviceId}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Frames a second, at most
        <select name="fps" value={fps} onChange={({ currentTarget }) => choose({ fps: Number(currentTarget.value) })}>
          {FPS_CHOICES.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      </label>
      <label>
        Width of the picture, at most
        <select
          name="maxWidth"
          value={maxWidth}
          onChange={({ currentTarget }) => choose({ maxWidth: Number(currentTarget.value) })}
        >
          {WIDTH_CHOICES.map((choice) => (
            <option key={choice} value={choice}>
              {choice} pixels
            </option>
          ))}
        </select>
      </label>
      <label>
        Stream
        <input
          name="streamId"
          value={streamId}
          pattern={STREAM_ID_CHARACTERS}
          required
          autocomplete="off"
          title="1 to 128 letters, digits and _ . : -"
          onInput={({ currentTarget }) => choose({ streamId: currentTarget.value })}
        />
      </label>
      <button type="submit" class="primary" disabled={isStarting}>
        {isStarting ? 'Waiting for the camera…' : 'Start'}
      </button>
    </form>
  );
}

/** Browsers say what the cameras are called when a page was once allowed to use one. */
function useDevices(): MediaDeviceInfo[] {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  useEffect(() => {
    const look = async () => {
      const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
      setDevices(all.filter(({ kind, deviceId, label }) => kind === 'videoinput' && deviceId !== '' && label !== ''));
    };
    void look();
    navigator.mediaDevices.addEventListener('devicechange', look);
    return () => navigator.mediaDevices.removeEventListener('devicechange', look);
  }, []);
  return devices;
}
